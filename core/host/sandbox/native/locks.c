#define _GNU_SOURCE
#include "locks.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>
#include "answers.h"

struct lock {
  struct lock *next;
  uint32_t id;
  int fd;
  char file[];
};

static struct lock *locks;

void take_lock(uint32_t id, const char *file) {
  for (;;) {
    int fd = open(file, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0) return answer_number('l', id, errno);
    struct stat found;
    int error = flock(fd, LOCK_EX | LOCK_NB) < 0 || fstat(fd, &found) < 0 ? errno : 0;
    if (error != 0) {
      close(fd);
      return answer_number('l', id, error);
    }
    if (found.st_size == 0 && found.st_nlink > 0) {
      struct lock *lock = malloc(sizeof *lock + strlen(file) + 1);
      if (lock == NULL) die("memory");
      *lock = (struct lock){locks, id, fd};
      strcpy(lock->file, file);
      locks = lock;
      return answer_number('l', id, 0);
    }
    /* Who had it has given it back and marked the file as stale. */
    close(fd);
  }
}

static void give_back(struct lock **place) {
  struct lock *lock = *place;
  /* Unlink first, then mark: who waits for this file sees that it is stale and starts over. A name that is gone already may be
     that of somebody else's lock by now. */
  struct stat now;
  if (fstat(lock->fd, &now) < 0 || now.st_nlink > 0) unlink(lock->file);
  if (write(lock->fd, "d", 1) < 0) {
    /* The disk is full: who looks whether the file still has a name sees it as well. */
  }
  close(lock->fd);
  *place = lock->next;
  free(lock);
}

void give_lock_back(uint32_t id) {
  for (struct lock **place = &locks; *place != NULL; place = &(*place)->next)
    if ((*place)->id == id) return give_back(place);
}

void give_all_locks_back(void) {
  while (locks != NULL) give_back(&locks);
}
