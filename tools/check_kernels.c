/// Runs all checks of the kernels, for every instruction set that this machine runs.

#include <stddef.h>
#include <stdio.h>

#include "kernel_checks.h"
#include "row_checks.h"

typedef struct {
  const char *name;
  const char *(*run)(const prunec_kernels *);
} check;

static const check checks[] = {
  {"product", prunec_check_product},
  {"depthwise", prunec_check_depthwise},
  {"winograd", prunec_check_winograd},
  {"pooling", prunec_check_pooling},
  {"functions", prunec_check_functions},
  {"programs", prunec_check_programs},
  {"softmax", prunec_check_softmax},
  {"row normalization", prunec_check_row_normalization},
  {"group normalization", prunec_check_group_normalization},
  {"reduction", prunec_check_reduction},
  {"copy", prunec_check_copy},
  {"gather", prunec_check_gather},
  {"resize", prunec_check_resize},
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
