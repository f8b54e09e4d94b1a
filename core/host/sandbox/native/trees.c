#define _GNU_SOURCE
#include "trees.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>
#include "answers.h"
#include "builder.h"
#include "own-space.h"
#include "words.h"

/* A tree that is somebody else's for the time of a build. */
struct given {
  struct given *next;
  char path[];
};

struct removal {
  struct removal *next;
  uint32_t id;
};

/* What the remover has yet to answer, in order. */
static struct removal *removals, **last_removal = &removals;
static int remover = -1;
static struct given *given;

/* Who owns a tree that is given to somebody, and how deep we are in it. */
struct walk {
  uid_t uid;
  gid_t gid;
  int depth;
};

/* Do the same to all that lies in a directory, which is closed after that; 0, or the errno of the first that failed. */
static int for_each_entry(int fd, int (*act)(int parent, const char *name, struct walk walk), struct walk walk) {
  DIR *directory = fdopendir(fd);
  if (directory == NULL) {
    int error = errno;
    close(fd);
    return error;
  }
  walk.depth += 1;
  int error = 0;
  for (struct dirent *entry; error == 0 && (entry = readdir(directory)) != NULL;)
    if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0) error = act(fd, entry->d_name, walk);
  closedir(directory);
  return error;
}

/* Deeper trees are for somebody with more patience. */
#define MAX_DEPTH 200

/* 0, or errno. */
static int remove_tree(int parent, const char *name, struct walk walk) {
  if (unlinkat(parent, name, 0) == 0 || errno == ENOENT) return 0;
  if (errno != EISDIR) return errno;
  if (unlinkat(parent, name, AT_REMOVEDIR) == 0) return 0;
  if (errno != ENOTEMPTY && errno != EEXIST) return errno;
  if (walk.depth == MAX_DEPTH) return ELOOP;
  int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (fd < 0 && errno == EACCES && !is_root && fchmodat(parent, name, 0700, 0) == 0)
    fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (fd < 0) return errno;
  if (!is_root) fchmod(fd, 0700);
  int error = for_each_entry(fd, remove_tree, walk);
  if (error == 0 && unlinkat(parent, name, AT_REMOVEDIR) < 0) error = errno;
  return error;
}

/* Each level costs a directory that is open. */
#define MAX_OWNED_DEPTH 1000

/* 0, or errno. Nobody else changes the tree meanwhile; links are not followed. */
static int own_tree(int parent, const char *name, struct walk walk) {
  struct stat stat;
  if (fstatat(parent, name, &stat, AT_SYMLINK_NOFOLLOW) < 0) return errno;
  if (fchownat(parent, name, walk.uid, walk.gid, AT_SYMLINK_NOFOLLOW) < 0) return errno;
  if (!S_ISDIR(stat.st_mode)) return 0;
  if (walk.depth == MAX_OWNED_DEPTH) return ELOOP;
  int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  return fd < 0 ? errno : for_each_entry(fd, own_tree, walk);
}

/* Big trees take long, and a disk may make us wait for each directory. */
static void run_remover(int channel) {
  keep_only(&channel, 1);
  if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0) _exit(1);
  char path[4096];
  for (;;) {
    ssize_t size = recv(channel, path, sizeof path - 1, 0);
    if (size <= 0) _exit(0);
    path[size] = 0;
    unsigned uid, gid;
    int at = 0, error;
    if (path[0] == '/') error = remove_tree(AT_FDCWD, path, (struct walk){0});
    else if (sscanf(path, "%u %u %n", &uid, &gid, &at) == 2 && at > 0)
      error = own_tree(AT_FDCWD, path + at, (struct walk){uid, gid, 0});
    else error = EINVAL;
    if (send(channel, &error, sizeof error, MSG_NOSIGNAL) != sizeof error) _exit(0);
  }
}

static void start_remover(void) {
  int channel[2];
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, channel) < 0) return;
  pid_t pid = fork();
  if (pid == 0) run_remover(channel[1]);
  close(channel[1]);
  if (pid < 0) close(channel[0]);
  else remover = channel[0];
}

void remove_later(uint32_t id, const char *path) {
  size_t size = strlen(path);
  if (remover < 0) start_remover();
  if (remover < 0 || size >= 4096) return answer_number('d', id, remover < 0 ? EAGAIN : ENAMETOOLONG);
  if (send(remover, path, size, MSG_DONTWAIT | MSG_NOSIGNAL) != (ssize_t)size) return answer_number('d', id, EAGAIN);
  struct removal *removal = malloc(sizeof *removal);
  if (removal == NULL) die("memory");
  *removal = (struct removal){NULL, id};
  *last_removal = removal;
  last_removal = &removal->next;
}

/* Remember what is not ours meanwhile. */
static void note_given(uint32_t uid, const char *path) {
  for (struct given **place = &given; *place != NULL; place = &(*place)->next)
    if (is((*place)->path, path)) {
      struct given *old = *place;
      *place = old->next;
      free(old);
      break;
    }
  if (uid == own_id) return;
  struct given *fresh = malloc(sizeof *fresh + strlen(path) + 1);
  if (fresh == NULL) die("memory");
  strcpy(fresh->path, path);
  fresh->next = given;
  given = fresh;
}

void own_later(uint32_t id, const char *uid, const char *gid, const char *path) {
  char text[4096];
  int size = snprintf(text, sizeof text, "%lu %lu %s", strtoul(uid, NULL, 10), strtoul(gid, NULL, 10), path);
  if (size >= (int)sizeof text || path[0] != '/') return answer_number('d', id, ENAMETOOLONG);
  note_given(strtoul(uid, NULL, 10), path);
  remove_later(id, text);
}

static void answer_removal(int error) {
  struct removal *removal = removals;
  if (removal == NULL) return;
  answer_number('d', removal->id, error);
  removals = removal->next;
  if (removals == NULL) last_removal = &removals;
  free(removal);
}

void hear_remover(void) {
  int error;
  ssize_t size = recv(remover, &error, sizeof error, MSG_DONTWAIT);
  if (size == sizeof error) return answer_removal(error);
  if (size < 0 && errno == EAGAIN) return;
  /* It was killed. */
  close(remover);
  remover = -1;
  while (removals != NULL) answer_removal(EIO);
}

int remover_channel(void) { return remover; }

void take_trees_back(void) {
  for (; given != NULL; given = given->next) own_tree(AT_FDCWD, given->path, (struct walk){own_id, own_id, 0});
}
