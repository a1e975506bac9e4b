// SPDX-License-Identifier: Apache-2.0
// Threads of a server share one loss: each takes batches from a queue and answers with the loss and
// its gradient. The server keeps score of all that it has answered; whichever thread answers, the
// score and the answers have the same bits as on one thread.
#include <condition_variable>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <exception>
#include <future>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "simdloss/simdloss.hpp"

namespace {

struct Batch {
  std::vector<std::int32_t> ids;  // the class of each row
  std::vector<float> logits;      // rows of kClasses
};
constexpr std::int64_t kClasses = 10;

struct Answer {
  float loss;
  std::vector<float> gradient;  // by the logits
};

// Batches and promises of their answers, in order.
class Queue {
 public:
  std::future<Answer> push(Batch batch) {
    std::promise<Answer> promise;
    std::future<Answer> answer = promise.get_future();
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      jobs_.push_back({std::move(batch), std::move(promise)});
    }
    changed_.notify_one();
    return answer;
  }
  // Waits for a job; false once the queue is closed and empty.
  bool pop(std::pair<Batch, std::promise<Answer>>& job) {
    std::unique_lock<std::mutex> lock(mutex_);
    changed_.wait(lock, [this] { return closed_ || !jobs_.empty(); });
    if (jobs_.empty()) return false;
    job = std::move(jobs_.front());
    jobs_.pop_front();
    return true;
  }
  void close() {
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      closed_ = true;
    }
    changed_.notify_all();
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::pair<Batch, std::promise<Answer>>> jobs_;
  bool closed_ = false;
};

// Loss and gradient of a batch, whose losses it adds to `score`. Throws simdloss::Error, and leaves
// `score` as it was, if the batch is no good.
Answer answer(const simdloss::BoundLoss& loss, const Batch& batch, simdloss::PartialSums& score) {
  using simdloss::DType;
  const std::int64_t rows = static_cast<std::int64_t>(batch.ids.size());
  const std::int64_t shape[] = {rows, kClasses};
  simdloss::Operands operands;
  operands.y_true = {batch.ids.data(), DType::kInt32, 1, shape};
  operands.y_pred = {batch.logits.data(), DType::kFloat32, 2, shape};
  simdloss::Request request;
  request.threads = 1;  // the server has threads of its own

  Answer result{0, std::vector<float>(batch.logits.size())};
  simdloss::value_and_gradient(loss, operands, request, {&result.loss, DType::kFloat32, 0, nullptr},
                               {result.gradient.data(), DType::kFloat32, 2, shape});
  score.merge(simdloss::partial_sums(loss, operands, request));
  return result;
}

class Server {
 public:
  Server(const simdloss::BoundLoss& loss, int n_threads)
      : loss_(loss), scores_(static_cast<std::size_t>(n_threads)) {
    for (simdloss::PartialSums& score : scores_)
      threads_.emplace_back([this, &score] { serve(score); });
  }
  ~Server() { stop(); }

  std::future<Answer> ask(Batch batch) { return queue_.push(std::move(batch)); }

  // Answers what has been asked, and ends. Returns the sums of all answers.
  simdloss::PartialSums stop() {
    queue_.close();
    for (std::thread& thread : threads_)
      if (thread.joinable()) thread.join();
    simdloss::PartialSums whole;
    for (const simdloss::PartialSums& score : scores_) whole.merge(score);
    return whole;
  }

 private:
  void serve(simdloss::PartialSums& score) {
    std::pair<Batch, std::promise<Answer>> job;
    while (queue_.pop(job)) {
      try {
        job.second.set_value(answer(loss_, job.first, score));
      } catch (...) {
        job.second.set_exception(std::current_exception());
      }
    }
  }

  const simdloss::BoundLoss& loss_;
  std::vector<simdloss::PartialSums> scores_;  // one for each thread
  Queue queue_;
  std::vector<std::thread> threads_;
};

Batch make_batch(std::uint32_t seed) {
  Batch batch;
  batch.ids.resize(1 + seed % 500);
  batch.logits.resize(batch.ids.size() * kClasses);
  std::uint32_t state = seed;
  const auto random = [&state] { return (state = state * 1664525U + 1013904223U) >> 8; };
  for (std::int32_t& id : batch.ids) id = static_cast<std::int32_t>(random() % kClasses);
  for (float& logit : batch.logits) logit = static_cast<float>(random()) / 1048576.0F - 8.0F;
  return batch;
}

// Whether the server's answers and score are those of one thread.
bool run(int n_threads, std::uint32_t n_batches) {
  const simdloss::BoundLoss loss =
      simdloss::bind_loss(simdloss::find("sparse_categorical_crossentropy_from_logits"), {0.0});
  Server server(loss, n_threads);
  std::vector<std::future<Answer>> answers;
  for (std::uint32_t seed = 0; seed < n_batches; ++seed)
    answers.push_back(server.ask(make_batch(seed)));

  Batch bad = make_batch(7);
  bad.ids[3] = static_cast<std::int32_t>(kClasses);
  std::future<Answer> refused = server.ask(bad);
  const simdloss::PartialSums score = server.stop();

  bool same = true;
  simdloss::PartialSums expected_score;
  for (std::uint32_t seed = 0; seed < n_batches; ++seed) {
    const Answer expected = answer(loss, make_batch(seed), expected_score);
    const Answer given = answers[seed].get();
    same = same && given.loss == expected.loss && given.gradient == expected.gradient;
  }
  same = same && score == expected_score;
  std::printf("%u batches, %llu rows on %d threads: mean loss %.9g, %s one thread\n", n_batches,
              static_cast<unsigned long long>(score.count), n_threads, score.finalize(),
              same ? "the bits of" : "DIFFERENT FROM");
  try {
    refused.get();
    same = false;
  } catch (const simdloss::Error& error) {
    std::printf("refused, as it should be: %s\n", error.what());
  }
  return same;
}

}  // namespace

int main(int argc, char** argv) {
  const int n_threads = argc > 1 ? std::atoi(argv[1]) : 4;
  if (argc > 2 || n_threads < 1 || n_threads > simdloss::kMaxThreads) {
    std::fprintf(stderr, "usage: model_server [THREADS]\n");
    return 2;
  }
  try {
    return run(n_threads, 500) ? EXIT_SUCCESS : EXIT_FAILURE;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "model_server: %s\n", error.what());
    return EXIT_FAILURE;
  }
}
