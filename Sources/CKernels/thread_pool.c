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

struct prunec_thread_pool {
  long workers;
  pthread_t *threads;

  /// The work at hand. Written while nobody is at it.
  void (*run)(const void *, long, long);
  const void *arguments;
  long units;

  /// The first unit that nobody has taken.
  _Alignas(64) atomic_long next;

  /// Which work it is, whether it may be joined (`is_open`), and how many workers are at it.
  _Alignas(64) atomic_ulong state;

  _Alignas(64) atomic_long sleepers;
  atomic_bool ends;
  pthread_mutex_t mutex;
  pthread_cond_t wakes;
};

enum {
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

/// Takes units until none are left.
static void take_part(prunec_thread_pool *pool) {
  long threads = pool->workers + 1;
  long begin = atomic_load_explicit(&pool->next, memory_order_relaxed);
  while (begin < pool->units) {
    long count = (pool->units - begin) / (2 * threads);
    if (count < 1) count = 1;
    if (atomic_compare_exchange_weak(&pool->next, &begin, begin + count)) {
      pool->run(pool->arguments, begin, begin + count);
      begin = atomic_load_explicit(&pool->next, memory_order_relaxed);
    }
  }
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
  prunec_thread_pool *pool = argument;
  for (unsigned long last = 0; (last = join_work(pool, last)) != 0;) {
    take_part(pool);
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

prunec_thread_pool *prunec_thread_pool_create(long threads) {
  if (threads < 1 || threads > worker_mask) return NULL;
  size_t size = (sizeof(prunec_thread_pool) + 63) / 64 * 64;
  prunec_thread_pool *pool = aligned_alloc(64, size);
  if (!pool) return NULL;
  *pool = (prunec_thread_pool){.state = one_work};
  pool->threads = calloc((size_t)threads, sizeof *pool->threads);
  if (!pool->threads) {
    free(pool);
    return NULL;
  }
  pthread_mutex_init(&pool->mutex, NULL);
  pthread_cond_init(&pool->wakes, NULL);
  for (long i = 0; i < threads - 1; i++) {
    if (pthread_create(&pool->threads[i], NULL, work, pool) != 0) {
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
  free(pool->threads);
  free(pool);
}

long prunec_thread_pool_threads(const prunec_thread_pool *pool) {
  return pool->workers + 1;
}

void prunec_thread_pool_run(
    prunec_thread_pool *pool, long units, void (*run)(const void *arguments, long begin, long end),
    const void *arguments) {
  if (pool->workers == 0 || units <= 1) {
    if (units > 0) run(arguments, 0, units);
    return;
  }
  pool->run = run;
  pool->arguments = arguments;
  pool->units = units;
  atomic_store(&pool->next, 0);
  unsigned long number = atomic_load(&pool->state) / one_work + 1;
  atomic_store(&pool->state, number * one_work | is_open);
  wake_sleepers(pool);
  take_part(pool);
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
