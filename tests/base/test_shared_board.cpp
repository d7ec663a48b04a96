#include <chrono>
#include <cstring>
#include <functional>
#include <stdexcept>
#include <system_error>
#include <thread>

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <lucivox/base/shared_board.h>

namespace lucivox {
namespace {

std::string name() {
  return fmt::format("lucivox-test-{}", ::getpid());
}

// This process, rank 0, and others that run body(board, rank) and end with what it returns.
class Together {
 public:
  Together(int size, const std::function<int(SharedBoard&, int)>& body)
      : mine(SharedBoard::create(name(), 0, size)) {
    for (int rank = 1; rank < size; ++rank) {
      const std::string known = name();
      const pid_t process = ::fork();
      if (process == 0) ::_exit(run(known, rank, size, body));
      others.push_back(process);
    }
  }
  ~Together() { SharedBoard::forget(name()); }

  void expect_success() const {
    for (const pid_t process : others) {
      int status = 0;
      ::waitpid(process, &status, 0);
      EXPECT_EQ(status, 0);
    }
  }

  SharedBoard mine;
  std::vector<pid_t> others;

 private:
  static int run(const std::string& known, int rank, int size,
                 const std::function<int(SharedBoard&, int)>& body) {
    try {
      SharedBoard board = SharedBoard::open(known, rank, size);
      return body(board, rank);
    } catch (const std::exception&) {
      return 99;
    }
  }
};

std::vector<int> told(SharedBoard& board, int number) {
  std::vector<int> numbers;
  for (const auto& bytes : board.exchange(std::as_bytes(std::span(&number, 1)))) {
    numbers.emplace_back();
    std::memcpy(&numbers.back(), bytes.data(), sizeof(int));
  }
  return numbers;
}

// Rank r tells 1000 r + i in round i; the rounds in which it heard the same of all.
int rounds_heard(SharedBoard& board, int rank, int size) {
  constexpr int rounds = 100;
  int heard = 0;
  for (int i = 0; i < rounds; ++i) {
    if (i % 10 == rank) ::usleep(3000);  // late, so that the others fall asleep
    std::vector<int> expected;
    for (int other = 0; other < size; ++other) expected.push_back(1000 * other + i);
    heard += static_cast<int>(told(board, 1000 * rank + i) == expected);
  }
  return heard;
}

TEST(SharedBoard, TellsEveryRoundToAll) {
  for (const int size : {2, 3, 5}) {
    Together together(size, [size](SharedBoard& board, int rank) {
      return rounds_heard(board, rank, size) == 100 ? 0 : 1;
    });
    EXPECT_EQ(rounds_heard(together.mine, 0, size), 100) << size;
    together.expect_success();
  }
}

// Whoever leaves after a round has told what the others may still read, and nothing after it.
TEST(SharedBoard, LastWordsAreHeard) {
  Together together(2, [](SharedBoard& board, int) { return told(board, 7)[0] == 5 ? 0 : 1; });
  EXPECT_EQ(told(together.mine, 5)[1], 7);
  together.expect_success();
  EXPECT_THROW(told(together.mine, 5), std::runtime_error);
}

TEST(SharedBoard, WaitsForWhoComesLate) {
  SharedBoard mine = SharedBoard::create(name(), 0, 2);
  std::thread late([] {
    std::this_thread::sleep_for(std::chrono::milliseconds(30));
    SharedBoard board = SharedBoard::open(name(), 1, 2);
    told(board, 4);
  });
  EXPECT_EQ(told(mine, 3), (std::vector{3, 4}));
  late.join();
  SharedBoard::forget(name());
}

TEST(SharedBoard, TellsWhoWasKilled) {
  Together together(2, [](SharedBoard& board, int) {
    told(board, 1);
    return ::pause();
  });
  told(together.mine, 1);  // killed before it had come, it would only be late
  ::kill(together.others[0], SIGKILL);
  try {
    told(together.mine, 1);
    FAIL() << "nobody is there";
  } catch (const std::runtime_error& error) {
    EXPECT_STREQ(error.what(), "rank 1 has ended");
  }
  ::waitpid(together.others[0], nullptr, 0);
}

TEST(SharedBoard, HasOneNameOnce) {
  EXPECT_THROW(SharedBoard::open(name(), 1, 2), std::system_error);
  {
    const SharedBoard board = SharedBoard::create(name(), 0, 2);
    EXPECT_THROW(SharedBoard::create(name(), 0, 2), std::system_error);
    SharedBoard::forget(name());
  }
  EXPECT_THROW(SharedBoard::open(name(), 1, 2), std::system_error);
}

}  // namespace
}  // namespace lucivox
