/// A pool of threads that share the units of one kernel after the other.
#ifndef PRUNEC_THREAD_POOL_H
#define PRUNEC_THREAD_POOL_H

typedef struct prunec_thread_pool prunec_thread_pool;

/// A pool of `threads` threads, the caller's among them; null where the system gives none. At least 1.
prunec_thread_pool *prunec_thread_pool_create(long threads);
void prunec_thread_pool_destroy(prunec_thread_pool *);
long prunec_thread_pool_threads(const prunec_thread_pool *);

/// Calls `run(arguments, begin, end)` for ranges that cover `0 ..< units`, each unit once, and returns when all
/// are done. Each thread has a share of its own, the same of any work with as many units, so that what it
/// wrote for one kernel is in its cache for the next; who is done takes from the others' ends. One caller at a
/// time.
void prunec_thread_pool_run(
    prunec_thread_pool *, long units, void (*run)(const void *arguments, long begin, long end), const void *arguments);

#endif
