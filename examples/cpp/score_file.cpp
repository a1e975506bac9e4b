// SPDX-License-Identifier: Apache-2.0
// The mean loss of two files of any size, in constant memory. Threads take chunks of rows, which
// they map; what chunks contribute is merged without rounding, so that the result has the same bits
// for chunks of any size and any number of threads.
#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <fstream>
#include <stdexcept>
#include <string>
#include <system_error>
#include <thread>
#include <vector>

#include "simdloss/simdloss.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

namespace {

constexpr const char* kUsage =
    "usage: score_file LOSS LABELS PREDICTIONS COLUMNS [ROWS_PER_CHUNK [THREADS]]\n"
    "       score_file --make LABELS PREDICTIONS ROWS COLUMNS\n"
    "PREDICTIONS: rows of COLUMNS float32 numbers. LABELS: the same, or, for losses of class ids,\n"
    "one float32 number a row. Both in the byte order of this machine, without a header.\n"
    "--make writes a pair of such files to try it with.\n";

struct UsageError : std::invalid_argument {
  using std::invalid_argument::invalid_argument;
};

std::system_error failed(const std::string& what) { return {errno, std::generic_category(), what}; }

// A file that must not become shorter while it is read.
class File {
 public:
  explicit File(const std::string& path)
      : path_(path), descriptor_(open(path.c_str(), O_RDONLY | O_CLOEXEC)) {
    if (descriptor_ < 0) throw failed("cannot open " + path);
    struct stat status = {};
    if (fstat(descriptor_, &status) != 0) {
      const std::system_error error = failed("cannot look at " + path);
      close(descriptor_);
      throw error;
    }
    n_bytes_ = static_cast<std::size_t>(status.st_size);
  }
  File(const File&) = delete;
  File& operator=(const File&) = delete;
  ~File() { close(descriptor_); }

  const std::string& path() const { return path_; }
  int descriptor() const { return descriptor_; }
  std::size_t n_bytes() const { return n_bytes_; }

 private:
  std::string path_;
  int descriptor_;
  std::size_t n_bytes_;
};

// Floats [begin, begin + n) of a file, n > 0, mapped for reading: the system reads them when they
// are looked at, and has their memory back at the end.
class Floats {
 public:
  Floats(const File& file, std::int64_t begin, std::int64_t n) {
    const auto page = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
    const std::size_t first = static_cast<std::size_t>(begin) * sizeof(float);
    const std::size_t skipped = first % page;  // mappings begin at whole pages
    n_bytes_ = static_cast<std::size_t>(n) * sizeof(float) + skipped;
    pages_ = mmap(nullptr, n_bytes_, PROT_READ, MAP_SHARED, file.descriptor(),
                  static_cast<off_t>(first - skipped));
    if (pages_ == MAP_FAILED) throw failed("cannot map " + file.path());
    data_ = static_cast<const char*>(pages_) + skipped;
  }
  Floats(const Floats&) = delete;
  Floats& operator=(const Floats&) = delete;
  ~Floats() { munmap(pages_, n_bytes_); }

  const void* data() const { return data_; }

 private:
  void* pages_;
  const void* data_;
  std::size_t n_bytes_;
};

// Two files as rows of labels and of predictions.
struct Rows {
  const File& labels;
  const File& predictions;
  std::int64_t count;
  std::int64_t label_columns;
  std::int64_t columns;
};

simdloss::PartialSums score_chunk(const simdloss::BoundLoss& loss, const Rows& rows,
                                  std::int64_t begin, std::int64_t n) {
  const std::int64_t label_shape[] = {n, rows.label_columns};
  const std::int64_t shape[] = {n, rows.columns};
  const Floats labels(rows.labels, begin * rows.label_columns, n * rows.label_columns);
  const Floats predictions(rows.predictions, begin * rows.columns, n * rows.columns);
  simdloss::Operands operands;
  operands.y_true = {labels.data(), simdloss::DType::kFloat32, 2, label_shape};
  operands.y_pred = {predictions.data(), simdloss::DType::kFloat32, 2, shape};
  simdloss::Request request;
  request.threads = 1;  // the threads are ours
  return simdloss::partial_sums(loss, operands, request);
}

simdloss::PartialSums score(const simdloss::BoundLoss& loss, const Rows& rows,
                            std::int64_t rows_per_chunk, int threads) {
  std::atomic<std::int64_t> next{0};
  std::vector<simdloss::PartialSums> sums(static_cast<std::size_t>(threads));
  std::vector<std::exception_ptr> errors(sums.size());
  std::vector<std::thread> workers;
  for (std::size_t i = 0; i < sums.size(); ++i) {
    workers.emplace_back([&, i] {
      try {
        simdloss::PartialSums mine;
        for (;;) {
          const std::int64_t begin = next.fetch_add(rows_per_chunk);
          if (begin >= rows.count) break;
          const std::int64_t n = std::min(rows_per_chunk, rows.count - begin);
          mine.merge(score_chunk(loss, rows, begin, n));
        }
        sums[i] = mine;
      } catch (...) {
        errors[i] = std::current_exception();
        next = rows.count;  // the others need not go on
      }
    });
  }
  for (std::thread& worker : workers) worker.join();
  for (const std::exception_ptr& error : errors)
    if (error) std::rethrow_exception(error);
  simdloss::PartialSums whole;
  for (const simdloss::PartialSums& part : sums) whole.merge(part);
  return whole;
}

// The most memory that this process has had resident, in KiB, or -1. getrusage() may tell that of
// the program that started this one.
long peak_memory() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);)
    if (line.rfind("VmHWM:", 0) == 0) return std::atol(line.c_str() + 6);
  return -1;
}

std::int64_t whole_number(const std::string& name, const std::string& text, std::int64_t high) {
  char* end = nullptr;
  errno = 0;
  const std::int64_t value = std::strtoll(text.c_str(), &end, 10);
  if (end == text.c_str() || *end != '\0' || errno != 0 || value < 1 || value > high)
    throw UsageError(name + " must be a whole number from 1 to " + std::to_string(high) +
                     ", got '" + text + "'");
  return value;
}

// Rows of the files, if these have one size.
std::int64_t count_rows(const File& labels, std::int64_t label_columns, const File& predictions,
                        std::int64_t columns) {
  const std::size_t label_bytes = static_cast<std::size_t>(label_columns) * sizeof(float);
  const std::size_t row_bytes = static_cast<std::size_t>(columns) * sizeof(float);
  const std::size_t count = predictions.n_bytes() / row_bytes;
  if (predictions.n_bytes() % row_bytes != 0)
    throw std::runtime_error("predictions: " + std::to_string(predictions.n_bytes()) +
                             " bytes are no whole number of rows of " + std::to_string(row_bytes));
  if (labels.n_bytes() != count * label_bytes)
    throw std::runtime_error("labels: " + std::to_string(count) + " rows take " +
                             std::to_string(count * label_bytes) + " bytes, the file has " +
                             std::to_string(labels.n_bytes()));
  return static_cast<std::int64_t>(count);
}

// Pseudo-random numbers in (0, 1), the same on every machine.
void make_file(const std::string& path, std::int64_t count, std::uint64_t seed) {
  std::FILE* const file = std::fopen(path.c_str(), "wb");
  if (file == nullptr) throw failed("cannot write " + path);
  std::vector<float> numbers(1 << 16);
  std::uint64_t state = seed;
  bool good = true;
  for (std::int64_t left = count; good && left > 0;) {
    const auto n = static_cast<std::size_t>(std::min<std::int64_t>(left, 1 << 16));
    for (std::size_t i = 0; i < n; ++i) {
      state = state * 6364136223846793005U + 1442695040888963407U;
      numbers[i] = (static_cast<float>(state >> 41) + 0.5F) / 8388608.0F;
    }
    good = std::fwrite(numbers.data(), sizeof(float), n, file) == n;
    left -= static_cast<std::int64_t>(n);
  }
  const int error = errno;
  const bool closed = std::fclose(file) == 0;
  if (!good) errno = error;
  if (!good || !closed) throw failed("cannot write " + path);
}

void make(const std::vector<std::string>& arguments) {
  if (arguments.size() != 5) throw UsageError("--make takes two files and two numbers");
  const std::int64_t rows = whole_number("ROWS", arguments[3], 1'000'000'000);
  const std::int64_t columns = whole_number("COLUMNS", arguments[4], 1'000'000);
  make_file(arguments[1], rows * columns, 1);
  make_file(arguments[2], rows * columns, 2);
}

void run(const std::vector<std::string>& arguments) {
  if (!arguments.empty() && arguments[0] == "--make") return make(arguments);
  if (arguments.size() < 4 || arguments.size() > 6)
    throw UsageError("expected a loss, two files and the number of columns");
  const std::int64_t columns = whole_number("COLUMNS", arguments[3], 1'000'000'000);
  const std::int64_t rows_per_chunk =
      arguments.size() > 4 ? whole_number("ROWS_PER_CHUNK", arguments[4], 1'000'000'000)
                           : std::max<std::int64_t>(1, (1 << 18) / columns);  // about 1 MiB
  const std::int64_t threads = arguments.size() > 5
                                   ? whole_number("THREADS", arguments[5], simdloss::kMaxThreads)
                                   : simdloss::num_threads();

  const simdloss::LossInfo& info = simdloss::find(arguments[0]);
  if (info.target == simdloss::Target::kPairs || info.target == simdloss::Target::kSequence)
    throw std::runtime_error(arguments[0] + " is not a loss of single rows");
  const simdloss::BoundLoss loss = simdloss::bind_loss(info, simdloss::default_params(info));
  const std::int64_t label_columns = info.target == simdloss::Target::kClassId ? 1 : columns;

  const File labels(arguments[1]);
  const File predictions(arguments[2]);
  const std::int64_t count = count_rows(labels, label_columns, predictions, columns);
  if (count == 0) throw std::runtime_error("there are no rows");
  const Rows rows{labels, predictions, count, label_columns, columns};
  const double mean = score(loss, rows, rows_per_chunk, static_cast<int>(threads)).finalize();
  std::printf("%s of %lld rows: %.9g, bits %a\n", arguments[0].c_str(),
              static_cast<long long>(count), mean, mean);
  std::printf("%lld MiB of files, peak memory %ld MiB\n",
              static_cast<long long>((labels.n_bytes() + predictions.n_bytes()) >> 20),
              peak_memory() >> 10);
}

}  // namespace

int main(int argc, char** argv) {
  try {
    run({argv + 1, argv + argc});
    return EXIT_SUCCESS;
  } catch (const UsageError& error) {
    std::fprintf(stderr, "score_file: %s\n%s", error.what(), kUsage);
    return 2;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "score_file: %s\n", error.what());
    return EXIT_FAILURE;
  }
}
