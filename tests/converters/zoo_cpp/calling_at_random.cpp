// Calls the C interface of a detector at random, rightly and wrongly, in memory of exactly the size that is asked for:
// behind the generated header as model.h, with NAME and UPPER defined. Prints how many calls of each outcome there were.

#include "model.h"

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <memory>
#include <vector>

#define JOIN_(a, b) a##_##b
#define JOIN(a, b) JOIN_(a, b)
#define CALL(function) JOIN(NAME, function)
#define CODE(code) JOIN(UPPER, code)

static uint64_t state = 1;

static uint64_t random_number() {
  state ^= state << 13, state ^= state >> 7, state ^= state << 17;
  return state;
}

static int below(int limit) { return static_cast<int>(random_number() % static_cast<uint64_t>(limit)); }

// A size that is mostly small and right, and now and then anything.
static int size() {
  const int wrong[] = {0, -1, -70000, 16385, 1 << 20, (1 << 20) + 1, INT32_MAX, INT32_MIN};
  return below(12) ? 1 + below(70) : wrong[below(8)];
}

static float threshold() {
  const float odd[] = {-1, 0, 1, 2, std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()};
  return below(3) ? static_cast<float>(below(100)) / 100 : odd[below(6)];
}

static int detect(NAME* model) {
  const int width = size(), height = size();
  const bool fits = width > 0 && height > 0 && width <= 70 && height <= 70;
  const ptrdiff_t row = 3 * static_cast<ptrdiff_t>(fits ? width : 1), odd[] = {0, -row, row - 1, PTRDIFF_MAX, PTRDIFF_MIN};
  const bool strange = height != 1 && below(8) == 0;  // of a single row, any stride that is not too small will do
  const ptrdiff_t stride = strange ? odd[below(5)] : row + below(5);
  const size_t bytes = fits && !strange ? static_cast<size_t>(stride * (height - 1) + row) : 1;
  std::unique_ptr<uint8_t[]> image(new uint8_t[bytes]);
  for (size_t i = 0; i < bytes; ++i) image[i] = static_cast<uint8_t>(random_number());
  const int capacity = below(8) ? below(6) : -below(1000);
  std::unique_ptr<JOIN(NAME, face)[]> faces(new JOIN(NAME, face)[static_cast<size_t>(capacity > 0 ? capacity : 0)]);
  int count = -1;
  const int code = CALL(detect)(below(20) ? model : nullptr, below(20) ? image.get() : nullptr, width, height, stride,
                                threshold(), threshold(), below(20) ? faces.get() : nullptr, capacity,
                                below(20) ? &count : nullptr);
  if (code == CODE(OK) && (!fits || strange || count < 0 || count > capacity)) std::abort();
  if (code != CODE(OK) && count != -1) std::abort();
  return code;
}

static int run(NAME* model) {
  const int width = below(4) ? 32 * (1 + below(3)) : size(), height = below(4) ? 32 * (1 + below(3)) : size();
  size_t lengths[CODE(OUTPUTS)], capacities[CODE(OUTPUTS)];
  const int sizes = CALL(sizes)(width, height, below(20) ? lengths : nullptr);
  if (sizes != CODE(OK)) return sizes;
  const bool large = width > 96 || height > 96;
  std::vector<float> input(large ? 1 : 3 * static_cast<size_t>(width) * static_cast<size_t>(height), 0.5f);
  std::vector<std::vector<float>> arrays(CODE(OUTPUTS));
  float* outputs[CODE(OUTPUTS)];
  bool small = false;
  for (int i = 0; i < CODE(OUTPUTS); ++i) {
    capacities[i] = large ? 1 : lengths[i];
    if (below(60) == 0) capacities[i] -= 1, small = true;
    arrays[static_cast<size_t>(i)].resize(capacities[i] + 1);
    outputs[i] = below(60) ? arrays[static_cast<size_t>(i)].data() : nullptr;
  }
  const int code = CALL(run)(model, below(20) ? input.data() : nullptr, width, height, below(20) ? outputs : nullptr,
                             below(20) ? capacities : nullptr, below(20) ? CODE(OUTPUTS) : below(5));
  if (code == CODE(OK) && (small || large)) std::abort();
  return code;
}

// Makes and ends a model in memory at any address, sometimes too small.
static int make() {
  const int width = size(), height = size(), threads = below(6) ? 1 + below(3) : below(200) - 100;
  const size_t bytes = CALL(memory)(width, height, threads);
  if (bytes > (size_t(1) << 24)) return CODE(OK);
  const size_t given = below(4) ? bytes : bytes / 2, offset = static_cast<size_t>(below(64));
  std::unique_ptr<char[]> memory(new char[given + offset]);
  NAME* model = nullptr;
  const int code = CALL(init)(below(20) ? memory.get() + offset : nullptr, given, width, height, threads,
                              below(20) ? &model : nullptr);
  if ((code == CODE(OK)) != (model != nullptr) || (code == CODE(OK) && given < bytes)) std::abort();
  if (model) detect(model);
  CALL(destroy)(model);
  return code;
}

int main(int, char** words) {
  NAME* model = nullptr;
  if (CALL(create)(96, 96, 2, &model) != CODE(OK)) return 1;
  const long calls = std::atol(words[1]);
  long outcomes[16] = {};
  for (long call = 0; call < calls; ++call) {
    const int kind = below(100);
    const int code = kind < 10 ? make() : kind < 30 ? run(model) : detect(model);
    if (code < 0 || code > 15 || !CALL(error)(code)[0]) return 1;
    ++outcomes[code];
  }
  CALL(destroy)(model);
  for (const long count : outcomes) std::printf("%ld ", count);
  return 0;
}
