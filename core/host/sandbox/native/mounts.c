#define _GNU_SOURCE
#include "mounts.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>
#include "failure.h"
#include "system.h"

const char *new_root;

static int copy_mount(const char *from, uint64_t flags) {
  int tree = syscall(SYS_open_tree, AT_FDCWD, from, TREE_CLONE | TREE_CLOEXEC | RECURSIVE);
  if (tree < 0) fail("cannot show %s", from);
  struct tree_attr attr = {.set = flags};
  if (syscall(SYS_mount_setattr, tree, "", AT_EMPTY_PATH | RECURSIVE, &attr, sizeof attr) < 0)
    fail("cannot restrict %s", from);
  return tree;
}

static int new_mount(const char *type, uint64_t flags, const char *const *settings) {
  int context = syscall(SYS_fsopen, type, FS_CLOEXEC);
  if (context < 0) fail("cannot make a %s", type);
  for (; *settings != NULL; settings += 2)
    if (syscall(SYS_fsconfig, context, FS_SET_STRING, settings[0], settings[1], 0) < 0)
      fail("cannot set %s of a %s", settings[0], type);
  if (syscall(SYS_fsconfig, context, FS_CREATE, NULL, NULL, 0) < 0) fail("cannot make a %s", type);
  int tree = syscall(SYS_fsmount, context, FS_CLOEXEC, flags);
  if (tree < 0) fail("cannot make a %s", type);
  close(context);
  return tree;
}

static void attach(int tree, int root, const char *to) {
  if (syscall(SYS_move_mount, tree, "", root, to, FROM_EMPTY) < 0) fail("cannot mount /%s", to);
  close(tree);
}

/* Directories up to and including `path`; the last one gets the mode. */
static void make_directories(int root, const char *path, mode_t mode) {
  char part[4096];
  if (strlen(path) >= sizeof part) errno = ENAMETOOLONG, fail("cannot make /%s", path);
  for (size_t i = 0;; i++) {
    if (path[i] == '/' || path[i] == 0) {
      memcpy(part, path, i);
      part[i] = 0;
      if (mkdirat(root, part, path[i] == 0 ? mode : 0755) < 0 && errno != EEXIST) fail("cannot make /%s", path);
      if (path[i] == 0) break;
    }
  }
}

/* The place for a mount: a directory or a file, as what is to be mounted. */
static void make_place(int root, const char *to, int tree) {
  struct stat found;
  if (faccessat(root, to, F_OK, AT_SYMLINK_NOFOLLOW) == 0) return;
  if (fstat(tree, &found) < 0) fail("cannot look at what becomes /%s", to);
  if (S_ISDIR(found.st_mode)) return make_directories(root, to, 0755);
  char parent[4096];
  snprintf(parent, sizeof parent, "%s", to);
  char *slash = strrchr(parent, '/');
  if (slash != NULL) *slash = 0, make_directories(root, parent, 0755);
  int file = openat(root, to, O_CREAT | O_WRONLY | O_NOFOLLOW | O_CLOEXEC, 0444);
  if (file < 0) fail("cannot make /%s", to);
  close(file);
}

/* Places are relative to the new root; requests name them absolutely. */
static const char *inside(const char *path) {
  while (*path == '/') path++;
  return path;
}

static void mount_devices(int root, const char *to) {
  static const char *const nodes[] = {"null", "zero", "full", "random", "urandom", "tty"};
  static const char *const links[][2] = {{"/proc/self/fd", "fd"},     {"/proc/self/fd/0", "stdin"},
                                         {"/proc/self/fd/1", "stdout"}, {"/proc/self/fd/2", "stderr"},
                                         {"/proc/kcore", "core"},     {"pts/ptmx", "ptmx"}};
  static const char *const plain[] = {"mode", "0755", NULL};
  static const char *const terminals[] = {"ptmxmode", "0666", "mode", "620", NULL};
  char path[64];
  make_directories(root, to, 0755);
  int trees[6];
  /* A read-only mount lets devices be written to, but nobody can change the node, which is the host's own. */
  for (int i = 0; i < 6; i++) {
    snprintf(path, sizeof path, "/dev/%s", nodes[i]);
    trees[i] = copy_mount(path, ATTR_RDONLY | ATTR_NOSUID);
  }
  attach(new_mount("tmpfs", ATTR_NOSUID | ATTR_NODEV, plain), root, to);
  int dev = openat(root, to, O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (dev < 0) fail("cannot open /%s", to);
  for (int i = 0; i < 6; i++) {
    make_place(dev, nodes[i], trees[i]);
    attach(trees[i], dev, nodes[i]);
  }
  for (int i = 0; i < 6; i++)
    if (symlinkat(links[i][0], dev, links[i][1]) < 0) fail("cannot make /%s/%s", to, links[i][1]);
  make_directories(dev, "pts", 0755);
  attach(new_mount("devpts", ATTR_NOSUID, terminals), dev, "pts");
  close(dev);
}

static void make_read_only(int root, const char *path) {
  int tree = openat(root, path, O_PATH | O_CLOEXEC);
  struct tree_attr attr = {.set = ATTR_RDONLY};
  if (tree < 0 || syscall(SYS_mount_setattr, tree, "", AT_EMPTY_PATH, &attr, sizeof attr) < 0)
    fail("cannot make /%s read-only", path);
  close(tree);
}

int make_root(void) {
  static const char *const plain[] = {"mode", "0755", NULL};
  attach(new_mount("tmpfs", ATTR_NOSUID | ATTR_NODEV, plain), AT_FDCWD, new_root);
  int root = open(new_root, O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (root < 0) fail("cannot open the new root");
  return root;
}

void mount_words(const struct parsed *p, int root, size_t from, size_t to) {
  static const char *const none[] = {NULL};
  for (size_t i = from; i < to; i += 1 + arity(p->words[i])) {
    char **word = p->words + i;
    const char *verb = word[0];
    if (is(verb, "bind") || is(verb, "ro-bind") || is(verb, "dev-bind")) {
      uint64_t flags = ATTR_NOSUID | (is(verb, "dev-bind") ? 0 : ATTR_NODEV) | (is(verb, "bind") ? 0 : ATTR_RDONLY);
      int tree = copy_mount(word[1], flags);
      make_place(root, inside(word[2]), tree);
      attach(tree, root, inside(word[2]));
    } else if (is(verb, "tmpfs")) {
      const char *settings[] = {"mode", word[2], NULL};
      make_directories(root, inside(word[1]), 0755);
      attach(new_mount("tmpfs", ATTR_NOSUID | ATTR_NODEV, settings), root, inside(word[1]));
    } else if (is(verb, "dir")) {
      make_directories(root, inside(word[1]), strtoul(word[2], NULL, 8));
    } else if (is(verb, "symlink")) {
      char parent[4096];
      snprintf(parent, sizeof parent, "%s", inside(word[2]));
      char *slash = strrchr(parent, '/');
      if (slash != NULL) *slash = 0, make_directories(root, parent, 0755);
      if (symlinkat(word[1], root, inside(word[2])) < 0) fail("cannot make %s", word[2]);
    } else if (is(verb, "proc")) {
      make_directories(root, inside(word[1]), 0755);
      attach(new_mount("proc", ATTR_NOSUID | ATTR_NODEV, none), root, inside(word[1]));
    } else if (is(verb, "dev")) {
      mount_devices(root, inside(word[1]));
    } else if (is(verb, "remount-ro")) {
      make_read_only(root, *inside(word[1]) == 0 ? "." : inside(word[1]));
    }
  }
}

void enter_root(int root) {
  if (fchdir(root) < 0 || syscall(SYS_pivot_root, ".", ".") < 0) fail("cannot enter the new root");
  if (umount2(".", MNT_DETACH) < 0) fail("cannot leave the old root");
  if (chdir("/build") < 0) fail("cannot enter /build");
}
