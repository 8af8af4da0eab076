// What the tests call of the image side: included after it, in the same anonymous namespace's file.

namespace {

template <class T>
struct Block {  // memory of exactly the size that is asked for, so that a sanitizer sees what is beyond
  explicit Block(size_t size) : data(static_cast<T*>(::operator new(size ? size : 1, std::align_val_t(64)))) {}
  ~Block() { ::operator delete(data, std::align_val_t(64)); }
  T* data;
};

}  // namespace

extern "C" {

void write_row_of(const uint8_t* bgr, int width, float* out) { write_row(bgr, width, out); }

void resize_to(const uint8_t* bgr, int width, int height, ptrdiff_t stride, const int* region, int wide, int high,
               float* out) {
  Block<char> memory(image_scratch_size(wide));
  const Image image = {bgr, width, height, stride};
  const InputMap map = {out, wide, high, 3 * static_cast<ptrdiff_t>(wide)};
  write_resized(image, {region[0], region[1], region[2], region[3]}, wide, high, map, image_scratch(memory.data, wide));
}

void bicubic_to(const uint8_t* bgr, int width, int height, ptrdiff_t stride, const int* region, int wide, int high,
                float* out) {
  Block<char> memory(crop_scratch_size(wide, high));
  const Image image = {bgr, width, height, stride};
  const InputMap map = {out, wide, high, 3 * static_cast<ptrdiff_t>(wide)};
  write_bicubic(image, {region[0], region[1], region[2], region[3]}, map, crop_scratch(memory.data, wide, high));
}

void fitted_size(int width, int height, int* sizes) {
  const Fit fit = fit_size(width, height);
  sizes[0] = fit.inner_width, sizes[1] = fit.inner_height, sizes[2] = fit.width, sizes[3] = fit.height;
}

void fit_into(const uint8_t* bgr, int width, int height, ptrdiff_t stride, float* out, ptrdiff_t out_stride) {
  const Fit fit = fit_size(width, height);
  Block<char> memory(image_scratch_size(fit.inner_width));
  const InputMap map = {out, fit.width, fit.height, out_stride};
  write_fitted({bgr, width, height, stride}, fit, map, image_scratch(memory.data, fit.inner_width));
}

int cut_to(const uint8_t* bgr, int width, int height, ptrdiff_t stride, const float* box, const float* keypoints,
           int wide, int high, float* out, double* matrix, float* points, int count, float* areas) {
  Block<char> memory(crop_scratch_size(wide, high));
  const InputMap map = {out, wide, high, 3 * static_cast<ptrdiff_t>(wide)};
  Affine moved = {};
  const Cutting done =
      cut_face({bgr, width, height, stride}, box, keypoints, map, crop_scratch(memory.data, wide, high), &moved);
  std::memcpy(matrix, moved.m, sizeof(moved.m));
  points_to_image(moved, count, points);
  areas_to_image(moved, count, areas);
  return static_cast<int>(done);
}

int suppressed(const float* boxes, const float* scores, int count, float threshold, int plus_one, int keep,
               int* indices) {
  Block<Candidate> found(sizeof(Candidate) * static_cast<size_t>(count));
  Block<uint64_t> keys(sizeof(uint64_t) * static_cast<size_t>(count));
  for (int i = 0; i < count; ++i) {
    found.data[i].score = scores[i];
    std::memcpy(found.data[i].box, boxes + 4 * i, 4 * sizeof(float));
  }
  const int stay = suppress(found.data, count, threshold, plus_one != 0, keep, keys.data);
  for (int i = 0; i < stay; ++i) indices[i] = static_cast<int>(keys.data[i]);
  return stay;
}

}  // extern "C"
