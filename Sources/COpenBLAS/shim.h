#include <cblas.h>

// LAPACK is in the same library; its own header is in a package of its own.
void dsyevd_(
    const char *job, const char *half, const int *n, double *a, const int *row_length, double *values, double *work,
    const int *work_size, int *integers, const int *integer_size, int *status);
