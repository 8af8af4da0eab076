
// Runs one of the engines: its number, how many threads, and width and height of each of the images, whose numbers
// stand in the standard input; outputs go to the standard output.

#include <cstdio>
#include <vector>

struct Row {
  void* (*make)(int, int, int, const void*, size_t);
  int (*run)(void*, const float*, int, int, const float**, size_t*);
  void (*end)(void*);
  size_t outputs, channels;
};

static const Row kRows[] = {
ROWS};

int main(int count, char** words) {
  const Row& row = kRows[std::atoi(words[1])];
  std::vector<int> sizes;
  int most[2] = {1, 1};
  for (int word = 3; word < count; ++word) {
    sizes.push_back(std::atoi(words[word]));
    int& largest = most[(word + 1) % 2];
    largest = std::max(largest, sizes.back());
  }
  void* handle = row.make(most[0], most[1], std::atoi(words[2]), nullptr, 0);
  if (!handle) return 2;
  for (size_t at = 0; at < sizes.size(); at += 2) {
    std::vector<float> image(static_cast<size_t>(sizes[at]) * static_cast<size_t>(sizes[at + 1]) * row.channels);
    if (std::fread(image.data(), sizeof(float), image.size(), stdin) != image.size()) return 3;
    std::vector<const float*> outputs(row.outputs);
    std::vector<size_t> lengths(row.outputs);
    if (row.run(handle, image.data(), sizes[at], sizes[at + 1], outputs.data(), lengths.data())) return 4;
    for (size_t index = 0; index < row.outputs; ++index)
      std::fwrite(outputs[index], sizeof(float), lengths[index], stdout);
  }
  row.end(handle);
  return 0;
}
