// Reads a raw image, rows of blue, green and red bytes, finds the faces in it once with a library, or not at all, and
// prints what Linux says of the process: its peak is the memory of one detection. `benchmarks.footprint` calls it:
//
//   once FILE WIDTH HEIGHT [LIBRARY NAME]
//
// NAME is what the functions of generated C++ begin with, or libfacedetection's own function.
#include <dlfcn.h>

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>

namespace {

constexpr size_t kFaces = 1024, kFloats = 15;   // the most faces, and the numbers of one: score, box, keypoints
constexpr size_t kResult = 0x9000;              // bytes that libfacedetection writes its faces to

using Create = int (*)(int, int, int, void**);
using Detect = int (*)(void*, const uint8_t*, int, int, ptrdiff_t, float, float, void*, int, int*);
using Find = int* (*)(unsigned char*, unsigned char*, int, int, int);

void* symbol(void* library, const char* name, const char* function) {
  char text[200];
  std::snprintf(text, sizeof(text), "%s%s", name, function);
  return dlsym(library, text);
}

int generated(Create create, Detect detect, const uint8_t* image, int width, int height) {
  void* model = nullptr;
  static float faces[kFaces * kFloats];
  int count = -1;
  if (create(width, height, 1, &model) || detect(model, image, width, height, 3 * width, -1, -1, faces, kFaces, &count))
    return -1;
  return count;
}

int found(const char* path, const char* name, uint8_t* image, int width, int height) {
  void* library = dlopen(path, RTLD_NOW);
  if (!library) return std::fprintf(stderr, "%s\n", dlerror()), -1;
  const auto create = reinterpret_cast<Create>(symbol(library, name, "_create"));
  const auto detect = reinterpret_cast<Detect>(symbol(library, name, "_detect"));
  if (create && detect) return generated(create, detect, image, width, height);
  const auto find = reinterpret_cast<Find>(symbol(library, name, ""));
  static unsigned char result[kResult];
  return find ? *find(result, image, width, height, 3 * width) : -1;
}

void print_status() {
  char text[4096];
  FILE* file = std::fopen("/proc/self/status", "r");
  if (file) std::fwrite(text, 1, std::fread(text, 1, sizeof(text), file), stdout);
}

}  // namespace

int main(int count, char** words) {
  if (count != 4 && count != 6) return 2;
  const int width = std::atoi(words[2]), height = std::atoi(words[3]);
  const size_t size = 3 * static_cast<size_t>(width) * static_cast<size_t>(height);
  auto* image = static_cast<uint8_t*>(std::malloc(size));
  FILE* file = std::fopen(words[1], "rb");
  if (!image || !file || std::fread(image, 1, size, file) != size) return 1;
  if (count == 6 && found(words[4], words[5], image, width, height) < 1) return 1;
  print_status();
  return 0;
}
