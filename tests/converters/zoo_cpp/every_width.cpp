// Images of every width from 1 to 70 through all of the image side, in memory of exactly their size: behind harness.cpp.

#include <cstdio>

namespace {

unsigned state = 1;

uint8_t random_byte() { return static_cast<uint8_t>((state = state * 1664525u + 1013904223u) >> 24); }

void cut_some(const uint8_t* image, int width, int height, ptrdiff_t stride) {
  const int wide = kInputWidth ? kInputWidth : 16, high = kInputHeight ? kInputHeight : 16;
  Block<float> out(sizeof(float) * 3 * static_cast<size_t>(wide) * static_cast<size_t>(high));
  for (int round = 0; round < 6; ++round) {
    float box[4], keypoints[10], points[6] = {1, 2, 3, 4, 5, 6}, areas[3] = {1, 2, 3};
    for (float& value : keypoints) value = static_cast<float>(random_byte()) / 2 - 32;
    for (int i = 0; i < 4; ++i) box[i] = static_cast<float>(random_byte()) / 2 + (i < 2 ? -64.0f : 32.0f);
    if (round > 3) box[1] -= 1000;
    double matrix[6];
    cut_to(image, width, height, stride, box, keypoints, wide, high, out.data, matrix, points, 3, areas);
  }
}

}  // namespace

int main() {
  int images = 0;
  for (int width = 1; width <= 70; ++width)
    for (int height = 1; height <= 40; height += 1 + width % 5, ++images) {
      const ptrdiff_t stride = 3 * width + width % 3;
      const size_t bytes = static_cast<size_t>(stride * (height - 1) + 3 * width);
      Block<uint8_t> image(bytes);
      for (size_t i = 0; i < bytes; ++i) image.data[i] = random_byte();
      int sizes[4];
      fitted_size(width, height, sizes);
      Block<float> fitted(sizeof(float) * 3 * static_cast<size_t>(sizes[2]) * static_cast<size_t>(sizes[3]));
      fit_into(image.data, width, height, stride, fitted.data, 3 * sizes[2]);
      cut_some(image.data, width, height, stride);
    }
  std::printf("%d\n", images);
}
