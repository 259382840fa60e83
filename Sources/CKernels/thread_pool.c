/// Threads that wait for work: first awake, for kernels that follow each other closely, then asleep.

#define _GNU_SOURCE
#include "thread_pool.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <time.h>

#if defined __x86_64__
#include <immintrin.h>
#endif

/// How long a thread stays awake without work, in nanoseconds.
static const int64_t awake_time = 100000;

/// Units that one thread takes from the front, and others from the back when they have none: the first in
/// the upper half, the end in the lower.
typedef struct {
  _Alignas(64) atomic_uint_fast64_t units;
} share;

/// What a thread is given when it begins.
typedef struct {
  prunec_thread_pool *pool;
  long index;
} worker;

struct prunec_thread_pool {
  long workers;
  pthread_t *threads;
  worker *beginnings;
  /// One for each thread, the caller's first.
  share *shares;

  /// The work at hand. Written while nobody is at it.
  void (*run)(const void *, long, long);
  const void *arguments;

  /// Which work it is, whether it may be joined (`is_open`), and how many workers are at it.
  _Alignas(64) atomic_ulong state;

  _Alignas(64) atomic_long sleepers;
  atomic_bool ends;
  pthread_mutex_t mutex;
  pthread_cond_t wakes;
};

enum {
  most_units = INT32_MAX,  // of one work
  worker_mask = 0xffff,  // of `state`: the workers at it
  is_open = 0x10000,
  one_work = 0x20000,
};

static inline void pause_briefly(void) {
#if defined __x86_64__
  _mm_pause();
#elif defined __aarch64__
  __asm__ volatile("yield");
#endif
}

static int64_t now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}

static uint64_t units_between(uint64_t begin, uint64_t end) {
  return begin << 32 | end;
}

/// Runs half of what a share has left, from its front or its back, until nothing is left.
static void take_from(prunec_thread_pool *pool, share *share, bool is_own) {
  uint64_t units = atomic_load_explicit(&share->units, memory_order_relaxed);
  for (;;) {
    uint64_t begin = units >> 32, end = units & UINT32_MAX;
    if (begin >= end) return;
    uint64_t middle = is_own ? begin + (end - begin + 1) / 2 : begin + (end - begin) / 2;
    uint64_t rest = is_own ? units_between(middle, end) : units_between(begin, middle);
    if (atomic_compare_exchange_weak(&share->units, &units, rest)) {
      pool->run(pool->arguments, (long)(is_own ? begin : middle), (long)(is_own ? middle : end));
      units = atomic_load_explicit(&share->units, memory_order_relaxed);
    }
  }
}

/// Runs the units of a thread's own share, and then what the others have left.
static void take_part(prunec_thread_pool *pool, long index) {
  long threads = pool->workers + 1;
  for (long i = 0; i < threads; i++)
    take_from(pool, &pool->shares[(index + i) % threads], i == 0);
}

/// Waits for work other than `last`, and joins it; 0 when the pool ends. Work that is over before it is
/// joined is none.
static unsigned long join_work(prunec_thread_pool *pool, unsigned long last) {
  for (int64_t start = now();;) {
    for (int spin = 0; spin < 64; spin++) {
      unsigned long state = atomic_load(&pool->state);
      if ((state & is_open) && state / one_work != last) {
        if (atomic_compare_exchange_strong(&pool->state, &state, state + 1)) return state / one_work;
      }
      if (atomic_load_explicit(&pool->ends, memory_order_relaxed)) return 0;
      pause_briefly();
    }
    if (now() - start < awake_time) continue;
    pthread_mutex_lock(&pool->mutex);
    atomic_fetch_add(&pool->sleepers, 1);
    for (;;) {
      unsigned long state = atomic_load(&pool->state);
      if (((state & is_open) && state / one_work != last) || atomic_load(&pool->ends)) break;
      pthread_cond_wait(&pool->wakes, &pool->mutex);
    }
    atomic_fetch_sub(&pool->sleepers, 1);
    pthread_mutex_unlock(&pool->mutex);
    start = now();
  }
}

static void *work(void *argument) {
  const worker *worker = argument;
  prunec_thread_pool *pool = worker->pool;
  for (unsigned long last = 0; (last = join_work(pool, last)) != 0;) {
    take_part(pool, worker->index);
    atomic_fetch_sub(&pool->state, 1);
  }
  return NULL;
}

static void wake_sleepers(prunec_thread_pool *pool) {
  if (atomic_load(&pool->sleepers) == 0) return;
  pthread_mutex_lock(&pool->mutex);
  pthread_cond_broadcast(&pool->wakes);
  pthread_mutex_unlock(&pool->mutex);
}

static void release(prunec_thread_pool *pool) {
  free(pool->threads);
  free(pool->beginnings);
  free(pool->shares);
  free(pool);
}

prunec_thread_pool *prunec_thread_pool_create(long threads) {
  if (threads < 1 || threads > worker_mask) return NULL;
  size_t size = (sizeof(prunec_thread_pool) + 63) / 64 * 64;
  prunec_thread_pool *pool = aligned_alloc(64, size);
  if (!pool) return NULL;
  *pool = (prunec_thread_pool){.state = one_work};
  pool->threads = calloc((size_t)threads, sizeof *pool->threads);
  pool->beginnings = calloc((size_t)threads, sizeof *pool->beginnings);
  pool->shares = aligned_alloc(_Alignof(share), (size_t)threads * sizeof *pool->shares);
  if (!pool->threads || !pool->beginnings || !pool->shares) {
    release(pool);
    return NULL;
  }
  for (long i = 0; i < threads; i++) atomic_init(&pool->shares[i].units, 0);
  pthread_mutex_init(&pool->mutex, NULL);
  pthread_cond_init(&pool->wakes, NULL);
  for (long i = 0; i < threads - 1; i++) {
    pool->beginnings[i] = (worker){pool, i + 1};
    if (pthread_create(&pool->threads[i], NULL, work, &pool->beginnings[i]) != 0) {
      prunec_thread_pool_destroy(pool);
      return NULL;
    }
    pool->workers++;
  }
  return pool;
}

void prunec_thread_pool_destroy(prunec_thread_pool *pool) {
  if (!pool) return;
  atomic_store(&pool->ends, true);
  wake_sleepers(pool);
  for (long i = 0; i < pool->workers; i++) pthread_join(pool->threads[i], NULL);
  pthread_cond_destroy(&pool->wakes);
  pthread_mutex_destroy(&pool->mutex);
  release(pool);
}

long prunec_thread_pool_threads(const prunec_thread_pool *pool) {
  return pool->workers + 1;
}

/// Opens work for all threads, does a part of it and waits for the rest.
static void share_work(
    prunec_thread_pool *pool, long units, void (*run)(const void *, long, long), const void *arguments) {
  long threads = pool->workers + 1;
  pool->run = run;
  pool->arguments = arguments;
  for (long i = 0; i < threads; i++) {
    uint64_t begin = (uint64_t)units * i / threads, end = (uint64_t)units * (i + 1) / threads;
    atomic_store_explicit(&pool->shares[i].units, units_between(begin, end), memory_order_relaxed);
  }
  unsigned long number = atomic_load(&pool->state) / one_work + 1;
  atomic_store(&pool->state, number * one_work | is_open);
  wake_sleepers(pool);
  take_part(pool, 0);
  // Closed, nobody joins any more; who has joined is waited for.
  atomic_fetch_and(&pool->state, ~(unsigned long)is_open);
  for (int spin = 0; atomic_load(&pool->state) & worker_mask; spin++) {
    if (spin < 10000) {
      pause_briefly();
    } else {
      sched_yield();
    }
  }
}

void prunec_thread_pool_run(
    prunec_thread_pool *pool, long units, void (*run)(const void *arguments, long begin, long end),
    const void *arguments) {
  if (pool->workers == 0 || units <= 1 || units > most_units) {
    if (units > 0) run(arguments, 0, units);
    return;
  }
  share_work(pool, units, run, arguments);
}
