/*
 * A library for LD_PRELOAD: one call to the file system fails, chosen by its kind and its number.
 *
 * What fails is written into the file that ACKBOX_FAULT_CONTROL names, which is mapped by this library: see `struct
 * control` and `shim.mjs`, which hold the same layout. Only calls about paths below the folder named there count, so
 * nothing but the box under test is disturbed. Everything else goes to the C library as it came.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>

enum call { NONE, WRITE, FLUSH, TRUNCATE, RENAME, UNLINK, LINK, CREATE };
enum { PATH_BYTES = 512 };

/* What happens to the call; the rest are numbers of errors. */
enum { SHORT_WRITE = -1, TORN_WRITE = -2 };

struct control {
  /* Which kind of call fails; NONE: none. */
  uint32_t call;
  /* The how manieth of its kind, from 1. */
  uint32_t number;
  /* An errno, SHORT_WRITE (a part is written, and said so) or TORN_WRITE (a part is written, then EIO). */
  int32_t what;
  /* Whether all calls of this kind from that one on fail. */
  uint32_t stays;
  /* Calls of this kind so far. */
  uint32_t seen;
  /* How many failed. */
  uint32_t fired;
  char folder[PATH_BYTES];
  /* What the first failed call was about. */
  char place[PATH_BYTES];
};

static struct control *control;

__attribute__((constructor)) static void map_control(void) {
  const char *path = getenv("ACKBOX_FAULT_CONTROL");
  if (path == NULL) return;
  int file = open(path, O_RDWR | O_CLOEXEC);
  if (file < 0) return;
  void *mapped = mmap(NULL, sizeof *control, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  close(file);
  if (mapped != MAP_FAILED) control = mapped;
}

static int is_ours(const char *path) {
  size_t length = strlen(control->folder);
  return strncmp(path, control->folder, length) == 0 && (path[length] == '/' || path[length] == '\0');
}

/* Whether this call is the one that fails, or one behind it; `path` is what it is about. */
static int fails(enum call call, const char *path) {
  if (control == NULL || control->call != call || !is_ours(path)) return 0;
  uint32_t number = __atomic_add_fetch(&control->seen, 1, __ATOMIC_SEQ_CST);
  if (number < control->number || (number > control->number && !control->stays)) return 0;
  if (__atomic_add_fetch(&control->fired, 1, __ATOMIC_SEQ_CST) == 1) {
    strncpy(control->place, path, PATH_BYTES - 1);
  }
  return 1;
}

static int fails_on(enum call call, int descriptor) {
  if (control == NULL || control->call != call) return 0;
  char link[64], path[PATH_MAX];
  snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
  ssize_t length = readlink(link, path, sizeof path - 1);
  if (length < 0) return 0;
  path[length] = '\0';
  return fails(call, path);
}

static int refuse(void) {
  errno = control->what > 0 ? control->what : EIO;
  return -1;
}

/* The function of the C library that this one stands in front of. */
#define NEXT(type, name) \
  static type next; \
  if (next == NULL) next = (type)dlsym(RTLD_NEXT, name)

/* A part of a write that cuts through whatever stands at its beginning; all of one byte. */
static size_t part(size_t bytes) { return (bytes + 7) / 8; }

typedef ssize_t (*write_call)(int, const void *, size_t);
typedef ssize_t (*pwrite_call)(int, const void *, size_t, off64_t);
typedef ssize_t (*writev_call)(int, const struct iovec *, int);
typedef ssize_t (*pwritev_call)(int, const struct iovec *, int, off64_t);
typedef int (*descriptor_call)(int);
typedef int (*truncate_call)(int, off64_t);
typedef int (*path_call)(const char *);
typedef int (*paths_call)(const char *, const char *);
typedef int (*open_call)(const char *, int, ...);

ssize_t write(int file, const void *bytes, size_t length) {
  NEXT(write_call, "write");
  if (!fails_on(WRITE, file)) return next(file, bytes, length);
  if (control->what > 0) return refuse();
  ssize_t written = next(file, bytes, part(length));
  return control->what == SHORT_WRITE ? written : refuse();
}

static ssize_t write_at(pwrite_call next, int file, const void *bytes, size_t length, off64_t at) {
  if (!fails_on(WRITE, file)) return next(file, bytes, length, at);
  if (control->what > 0) return refuse();
  ssize_t written = next(file, bytes, part(length), at);
  return control->what == SHORT_WRITE ? written : refuse();
}

ssize_t pwrite(int file, const void *bytes, size_t length, off_t at) {
  NEXT(pwrite_call, "pwrite");
  return write_at(next, file, bytes, length, at);
}

ssize_t pwrite64(int file, const void *bytes, size_t length, off64_t at) {
  NEXT(pwrite_call, "pwrite64");
  return write_at(next, file, bytes, length, at);
}

/* Of several parts the first is what a short write gets done. */
ssize_t writev(int file, const struct iovec *parts, int count) {
  NEXT(writev_call, "writev");
  if (!fails_on(WRITE, file)) return next(file, parts, count);
  if (control->what > 0) return refuse();
  ssize_t written = next(file, parts, 1);
  return control->what == SHORT_WRITE ? written : refuse();
}

static ssize_t write_parts_at(pwritev_call next, int file, const struct iovec *parts, int count, off64_t at) {
  if (!fails_on(WRITE, file)) return next(file, parts, count, at);
  if (control->what > 0) return refuse();
  ssize_t written = next(file, parts, 1, at);
  return control->what == SHORT_WRITE ? written : refuse();
}

ssize_t pwritev(int file, const struct iovec *parts, int count, off_t at) {
  NEXT(pwritev_call, "pwritev");
  return write_parts_at(next, file, parts, count, at);
}

ssize_t pwritev64(int file, const struct iovec *parts, int count, off64_t at) {
  NEXT(pwritev_call, "pwritev64");
  return write_parts_at(next, file, parts, count, at);
}

int fdatasync(int file) {
  NEXT(descriptor_call, "fdatasync");
  return fails_on(FLUSH, file) ? refuse() : next(file);
}

int fsync(int file) {
  NEXT(descriptor_call, "fsync");
  return fails_on(FLUSH, file) ? refuse() : next(file);
}

int ftruncate(int file, off_t length) {
  NEXT(truncate_call, "ftruncate");
  return fails_on(TRUNCATE, file) ? refuse() : next(file, length);
}

int ftruncate64(int file, off64_t length) {
  NEXT(truncate_call, "ftruncate64");
  return fails_on(TRUNCATE, file) ? refuse() : next(file, length);
}

int rename(const char *from, const char *to) {
  NEXT(paths_call, "rename");
  return fails(RENAME, from) ? refuse() : next(from, to);
}

int link(const char *from, const char *to) {
  NEXT(paths_call, "link");
  return fails(LINK, from) ? refuse() : next(from, to);
}

int unlink(const char *path) {
  NEXT(path_call, "unlink");
  return fails(UNLINK, path) ? refuse() : next(path);
}

static int open_next(open_call next, const char *path, int flags, mode_t mode) {
  return (flags & O_CREAT) != 0 && fails(CREATE, path) ? refuse() : next(path, flags, mode);
}

int open(const char *path, int flags, ...) {
  NEXT(open_call, "open");
  va_list rest;
  va_start(rest, flags);
  mode_t mode = va_arg(rest, mode_t);
  va_end(rest);
  return open_next(next, path, flags, mode);
}

int open64(const char *path, int flags, ...) {
  NEXT(open_call, "open64");
  va_list rest;
  va_start(rest, flags);
  mode_t mode = va_arg(rest, mode_t);
  va_end(rest);
  return open_next(next, path, flags, mode);
}
