#include "thread_pool.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

#include "check.h"
#include "kernel_checks.h"

typedef struct {
  long units;
  /// How often each unit was run. Plain numbers: two threads that ran the same unit would be a data race.
  int *runs;
} work;

static void run(const void *argument, long begin, long end) {
  const work *work = argument;
  if (begin < 0 || end > work->units || begin >= end) abort();
  for (long unit = begin; unit < end; unit++) work->runs[unit]++;
}

const char *prunec_check_thread_pool(void) {
  check_begin();
  for (long threads = 1; threads <= 5; threads++) {
    prunec_thread_pool *pool = prunec_thread_pool_create(threads);
    if (!pool || prunec_thread_pool_threads(pool) != threads) {
      check_fail("no pool of %ld threads", threads);
      prunec_thread_pool_destroy(pool);
      break;
    }
    for (int round = 0; round < 400; round++) {
      work work = {.units = check_random(0, round % 4 ? 40 : 2000)};
      work.runs = calloc((size_t)work.units + 1, sizeof *work.runs);
      prunec_thread_pool_run(pool, work.units, run, &work);
      for (long unit = 0; unit < work.units; unit++)
        if (work.runs[unit] != 1)
          check_fail("unit %ld of %ld was run %d times", unit, work.units, work.runs[unit]);
      check_free(work.runs);
      // Now and then long enough for the workers to fall asleep.
      if (round % 50 == 0) nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    }
    prunec_thread_pool_destroy(pool);
  }
  if (prunec_thread_pool_create(0)) check_fail("a pool of no threads");
  return check_result();
}
