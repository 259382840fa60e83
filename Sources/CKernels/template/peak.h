/// As many multiplications and additions as an instruction set can do: nothing is read or written, and no
/// result waits for another.

enum { peak_chains = 12 };

static long peak_units(const prunec_peak *p) {
  return p->units;
}

static void peak(const prunec_peak *p, long begin, long end) {
  vector factor = vector_broadcast(0.999f), addend = vector_broadcast(0.001f);
  for (long unit = begin; unit < end; unit++) {
    vector sums[peak_chains];
    for (int chain = 0; chain < peak_chains; chain++) {
      sums[chain] = vector_broadcast((float)chain);
    }
    for (long step = 0; step < p->iterations; step++) {
#pragma GCC unroll 12
      for (int chain = 0; chain < peak_chains; chain++) {
        sums[chain] = vector_multiply_add(sums[chain], factor, addend);
      }
    }
    // The compiler has to believe that the sums matter.
    for (int chain = 0; chain < peak_chains; chain++) {
      __asm__ volatile("" : : "m"(sums[chain]));
    }
  }
}
