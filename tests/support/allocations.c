/* Counts every block that Python's allocators give out, by standing in front of them.
 *
 * PyMem_RawMalloc is left alone: it is called without the GIL, and by nothing that makes an object.
 */
#include <Python.h>

static PyMemAllocatorEx objects, memory;
static long long given;

static void *count_malloc(void *below, size_t n) {
    given++;
    return ((PyMemAllocatorEx *)below)->malloc(((PyMemAllocatorEx *)below)->ctx, n);
}

static void *count_calloc(void *below, size_t count, size_t n) {
    given++;
    return ((PyMemAllocatorEx *)below)->calloc(((PyMemAllocatorEx *)below)->ctx, count, n);
}

static void *count_realloc(void *below, void *old, size_t n) {
    given++;
    return ((PyMemAllocatorEx *)below)->realloc(((PyMemAllocatorEx *)below)->ctx, old, n);
}

static void pass_free(void *below, void *block) {
    ((PyMemAllocatorEx *)below)->free(((PyMemAllocatorEx *)below)->ctx, block);
}

static void stand_before(PyMemAllocatorDomain domain, PyMemAllocatorEx *below) {
    PyMemAllocatorEx ours = {below, count_malloc, count_calloc, count_realloc, pass_free};
    PyMem_GetAllocator(domain, below);
    PyMem_SetAllocator(domain, &ours);
}

void allocations_begin(void) {
    stand_before(PYMEM_DOMAIN_OBJ, &objects);
    stand_before(PYMEM_DOMAIN_MEM, &memory);
    given = 0;
}

long long allocations_end(void) {
    PyMem_SetAllocator(PYMEM_DOMAIN_OBJ, &objects);
    PyMem_SetAllocator(PYMEM_DOMAIN_MEM, &memory);
    return given;
}
