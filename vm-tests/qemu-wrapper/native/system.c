#define _GNU_SOURCE
#include "system.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Source: getdents64(2). */
struct entry {
  uint64_t inode;
  int64_t next;
  uint16_t size;
  uint8_t type;
  char name[];
};

int each_number(const char *folder, int (*function)(long number)) {
  static char entries[8192] __attribute__((aligned(8)));
  int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC), sum = 0;
  if (fd < 0) return -1;
  for (;;) {
    long size = syscall(SYS_getdents64, fd, entries, sizeof entries);
    if (size <= 0) {
      close(fd);
      return size < 0 ? -1 : sum;
    }
    for (long at = 0; at < size;) {
      struct entry *entry = (struct entry *)(entries + at);
      at += entry->size;
      if (entry->name[0] < '0' || entry->name[0] > '9') continue;
      long number = strtol(entry->name, NULL, 10);
      /* Among descriptors is this one, too. */
      if (entry->type == DT_LNK && number == fd) continue;
      int said = function(number);
      if (said < 0) {
        close(fd);
        return -1;
      }
      sum += said;
    }
  }
}

long read_whole(const char *path, char *text, size_t room) {
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return -1;
  size_t size = 0;
  for (;;) {
    ssize_t part = read(fd, text + size, room - size);
    if (part <= 0 || (size += part) == room) {
      close(fd);
      if (part != 0) return -1;
      text[size] = 0;
      return size;
    }
  }
}

/* Of glibc 2.35 and later. Source: rseq(2), the ABI of glibc: offset from the thread pointer, and the mark before its handlers. */
extern const ptrdiff_t __rseq_offset __attribute__((weak));
extern const unsigned int __rseq_size __attribute__((weak));
#define SYS_RSEQ 334
#define RSEQ_MARK 0x53053053
#define RSEQ_LEAST 32

void register_sequences(void *thread_pointer) {
  if (&__rseq_size == NULL || __rseq_size == 0) return;
  unsigned int size = __rseq_size < RSEQ_LEAST ? RSEQ_LEAST : __rseq_size;
  syscall(SYS_RSEQ, (char *)thread_pointer + __rseq_offset, size, 0, RSEQ_MARK);
}
