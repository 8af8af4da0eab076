// Threads that use models of their own, and all of them one more at once: behind the generated header as model.h.

#include "model.h"

#include <atomic>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <thread>
#include <vector>

#define JOIN_(a, b) a##_##b
#define JOIN(a, b) JOIN_(a, b)
#define CALL(function) JOIN(NAME, function)
#define CODE(code) JOIN(UPPER, code)

static std::vector<uint8_t> picture() {
  std::vector<uint8_t> image(96 * 96 * 3);
  for (size_t i = 0; i < image.size(); ++i) image[i] = static_cast<uint8_t>(i * i >> 5);
  return image;
}

static int found(NAME* model, const std::vector<uint8_t>& image, int* code) {
  JOIN(NAME, face) faces[8];
  int count = 0;
  *code = CALL(detect)(model, image.data(), 96, 96, 288, 0.01f, 0.3f, faces, 8, &count);
  return count;
}

int main() {
  const std::vector<uint8_t> image = picture();
  NAME *shared = nullptr, *own[4] = {};
  if (CALL(create)(96, 96, 2, &shared) != CODE(OK)) return 1;
  for (NAME*& model : own)
    if (CALL(create)(96, 96, 2, &model) != CODE(OK)) return 1;
  int first = 0;
  const int expected = found(own[0], image, &first);
  std::atomic<int> wrong(0), served(0), busy(0);
  std::vector<std::thread> threads;
  for (NAME* mine : own)
    threads.emplace_back([&, mine] {
      for (int round = 0; round < 10; ++round) {
        int code = 0;
        if (found(mine, image, &code) != expected || code != CODE(OK)) ++wrong;
        const int count = found(shared, image, &code);
        if (code == CODE(BUSY)) ++busy;
        else if (code == CODE(OK) && count == expected) ++served;
        else ++wrong;
      }
    });
  for (std::thread& thread : threads) thread.join();
  CALL(destroy)(shared);
  for (NAME* model : own) CALL(destroy)(model);
  std::printf("%d wrong, %d served", wrong.load(), served.load());
  return wrong != 0 || served == 0 || first != CODE(OK);
}
