#include <cblas.h>

/* LAPACK's Fortran interface, which OpenBLAS exports without declaring it: solves A X = B for a
   symmetric positive definite A by Cholesky factorisation (LAPACK, DPOSV). */
void dposv_(const char *uplo, const int *n, const int *nrhs, double *a, const int *lda, double *b,
            const int *ldb, int *info);
