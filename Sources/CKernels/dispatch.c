/// Which kernels this processor runs.

#include <string.h>

#include "kernels.h"
#include "variants.h"

static bool runs_here(const prunec_kernels *kernels) {
#if defined __x86_64__
  if (kernels == &prunec_kernels_avx512) return __builtin_cpu_supports("x86-64-v4");
  if (kernels == &prunec_kernels_avx2) return __builtin_cpu_supports("x86-64-v3");
#endif
  return kernels == &prunec_kernels_baseline;
}

/// All tables of this build, the fastest first.
static const prunec_kernels *const all[] = {
#if defined __x86_64__
  &prunec_kernels_avx512,
  &prunec_kernels_avx2,
#endif
  &prunec_kernels_baseline,
};

enum { count = sizeof all / sizeof *all };

const prunec_kernels *prunec_kernels_named(const char *name) {
  for (int i = 0; i < count; i++)
    if (strcmp(all[i]->name, name) == 0) return runs_here(all[i]) ? all[i] : NULL;
  return NULL;
}

const prunec_kernels *prunec_kernels_best(void) {
  for (int i = 0; i < count; i++)
    if (runs_here(all[i])) return all[i];
  return NULL;
}
