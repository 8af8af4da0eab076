// Calls a model of single faces at random, rightly and wrongly, with images of exactly the size that is said: behind the
// generated header as model.h, with NAME and UPPER defined, and FIND for landmarks. Prints how many calls of each
// outcome there were.

#include "model.h"

#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <limits>
#include <memory>

#define JOIN_(a, b) a##_##b
#define JOIN(a, b) JOIN_(a, b)
#define CALL(function) JOIN(NAME, function)
#define CODE(code) JOIN(UPPER, code)

#ifdef FIND
constexpr int kNumbers = 2 * CODE(LANDMARKS);
#else
constexpr int kNumbers = CODE(EMBEDDING);
#endif

static uint64_t state = 1;

static uint64_t random_number() {
  state ^= state << 13, state ^= state >> 7, state ^= state << 17;
  return state;
}

static int below(int limit) { return static_cast<int>(random_number() % static_cast<uint64_t>(limit)); }

// Each width from 1 to 70 comes up; now and then anything.
static int size() {
  const int wrong[] = {0, -1, -70000, (1 << 20) + 1, INT32_MAX, INT32_MIN};
  return below(12) ? 1 + below(70) : wrong[below(6)];
}

// A place in or near the image, and now and then anything.
static float place() {
  typedef std::numeric_limits<float> Limits;
  const float odd[] = {Limits::quiet_NaN(), Limits::infinity(), -Limits::infinity(), Limits::max(), -Limits::max(),
                       Limits::denorm_min(), 1e9f, -1e9f, 0.0f, 70.0f};
  return below(30) ? static_cast<float>(below(1200)) / 10 - 25 : odd[below(10)];
}

static int look(NAME* model) {
  const int width = size(), height = size();
  const bool fits = width > 0 && height > 0 && width <= 70 && height <= 70;
  const ptrdiff_t row = 3 * static_cast<ptrdiff_t>(fits ? width : 1), odd[] = {0, -row, row - 1, PTRDIFF_MAX, PTRDIFF_MIN};
  const bool strange = height != 1 && below(8) == 0;
  const ptrdiff_t stride = strange ? odd[below(5)] : row + below(5);
  const size_t bytes = fits && !strange ? static_cast<size_t>(stride * (height - 1) + row) : 1;
  std::unique_ptr<uint8_t[]> image(new uint8_t[bytes]);
  for (size_t i = 0; i < bytes; ++i) image[i] = static_cast<uint8_t>(random_number());
  std::unique_ptr<float[]> keypoints(new float[10]), made(new float[kNumbers]);
  for (int i = 0; i < 10; ++i) keypoints[i] = place();
  for (int i = 0; i < kNumbers; ++i) made[i] = 7777;
  NAME* given = below(20) ? model : nullptr;
  const uint8_t* seen = below(20) ? image.get() : nullptr;
  const float* points = below(20) ? keypoints.get() : nullptr;
  float* to = below(20) ? made.get() : nullptr;
#ifdef FIND
  std::unique_ptr<float[]> box(new float[4]);
  for (int i = 0; i < 4; ++i) box[i] = place() + (i > 1 ? 30.0f : 0.0f);
  const int code = CALL(find)(given, seen, width, height, stride, below(20) ? box.get() : nullptr, points, to, nullptr);
#else
  const int code = CALL(embed)(given, seen, width, height, stride, points, to);
#endif
  if (code == CODE(OK) && (!fits || strange || !seen || !to || !given)) std::abort();
  for (int i = 0; i < kNumbers; ++i)
    if (code == CODE(OK) ? !std::isfinite(made[i]) : made[i] != 7777) std::abort();
  return code;
}

int main(int, char** words) {
  NAME* model = nullptr;
  if (CALL(create)(CODE(INPUT_WIDTH), CODE(INPUT_HEIGHT), 1, &model) != CODE(OK)) return 1;
  const long calls = std::atol(words[1]);
  long outcomes[16] = {};
  for (long call = 0; call < calls; ++call) {
    const int code = look(model);
    if (code < 0 || code > 15 || !CALL(error)(code)[0]) return 1;
    ++outcomes[code];
  }
  CALL(destroy)(model);
  for (const long count : outcomes) std::printf("%ld ", count);
  return 0;
}
