// One engine among several, and what the tests call of it.

namespace engine_NUMBER {
namespace {

ENGINE

struct Handle {
  Engine engine;
  char* memory;
};

Handle* made(int max_width, int max_height, int threads, const Stored& stored) {
  Arena count = {nullptr, 0};
  if (!engine_place(nullptr, &count, nullptr, max_width, max_height, threads)) return nullptr;
  Handle* handle = new Handle();
  handle->memory = static_cast<char*>(::operator new(count.used, std::align_val_t(kAlignment)));
  std::memset(handle->memory, 0xff, count.used);  // not a number, wherever it is read before it is written
  Arena arena = {handle->memory, 0};
  engine_place(&handle->engine, &arena, &stored, max_width, max_height, threads);
  team_start(handle->engine, threads);
  return handle;
}

int run(Handle& handle, const float* input, int width, int height, const float** outputs, size_t* lengths_found) {
  Engine& engine = handle.engine;
  if (!engine_resize(engine, width, height)) return 1;
  const int row = width * kValueTable[0].channels;
  for (int y = 0; y < height; ++y)
    std::memcpy(engine_input(engine) + y * engine_input_stride(engine), input + static_cast<ptrdiff_t>(y) * row,
                static_cast<size_t>(row) * sizeof(float));
  engine_run(engine);
  for (int index = 0; index < kOutputs; ++index) {
    outputs[index] = engine_output(engine, index);
    lengths_found[index] = engine_output_length(engine, index);
  }
  return 0;
}

}  // namespace
}  // namespace engine_NUMBER

extern "C" {

void* make_NUMBER(int max_width, int max_height, int threads, const void* weights, size_t size) {
  engine_NUMBER::Stored stored;
  if (!engine_NUMBER::numbers_at(weights, size, &stored)) return nullptr;
  return engine_NUMBER::made(max_width, max_height, threads, stored);
}

int run_NUMBER(void* handle, const float* input, int width, int height, const float** outputs, size_t* lengths) {
  return engine_NUMBER::run(*static_cast<engine_NUMBER::Handle*>(handle), input, width, height, outputs, lengths);
}

void end_NUMBER(void* handle) {
  engine_NUMBER::Handle* ended = static_cast<engine_NUMBER::Handle*>(handle);
  engine_NUMBER::team_stop(*ended->engine.team);
  ::operator delete(ended->memory, std::align_val_t(64));
  delete ended;
}

int count_NUMBER() { return static_cast<int>(engine_NUMBER::kNumbers); }

int numbers_NUMBER(const void* weights, size_t size, float* all) {
  engine_NUMBER::Stored stored;
  if (!engine_NUMBER::numbers_at(weights, size, &stored)) return 1;
  const float* found = engine_NUMBER::spread(stored, all);
  if (found != all) std::memcpy(all, found, engine_NUMBER::kNumbers * sizeof(float));
  return 0;
}

}
