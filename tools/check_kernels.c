/// Runs all checks of the kernels, for every instruction set that this machine runs.

#include <stddef.h>
#include <stdio.h>

#include "kernel_checks.h"

typedef struct {
  const char *name;
  const char *(*run)(const prunec_kernels *);
} check;

static const check checks[] = {
  {"product", prunec_check_product},
  {"depthwise", prunec_check_depthwise},
  {"pooling", prunec_check_pooling},
};

static int report(const char *variant, const char *name, const char *failure) {
  if (!failure) return 0;
  printf("%s: %s: %s\n", variant, name, failure);
  return 1;
}

int main(void) {
  static const char *const variants[] = {"baseline", "neon", "avx2", "avx512"};
  int failures = report("all", "thread pool", prunec_check_thread_pool());
  for (size_t i = 0; i < sizeof variants / sizeof *variants; i++) {
    const prunec_kernels *kernels = prunec_kernels_named(variants[i]);
    for (size_t j = 0; kernels && j < sizeof checks / sizeof *checks; j++)
      failures += report(variants[i], checks[j].name, checks[j].run(kernels));
  }
  return failures > 0;
}
