/*
 * floe-sandbox attributes …: see attributes.c.
 *
 * floe-sandbox DIRECTORY [NEWUIDMAP NEWGIDMAP FIRST-UID FIRST-GID COUNT]: runs builders in sandboxes and keeps locks, for one process that talks to it by its standard
 * input and output.
 *
 * Node cannot make name spaces, mounts, terminals or locks, and each process it starts for these costs it milliseconds in
 * which it does nothing else. This program stays small and does them by system calls. It decides nothing: which files a
 * sandbox shows is said by the request (see ../plan.ts), in the same words from which bubblewrap's arguments are made.
 *
 * DIRECTORY is an empty one on which new roots are mounted; nobody outside sees that. The other words are for who is not root: two
 * programs that may give it a range of users and groups of its own. They are FIRST_ID and following in its user name space.
 *
 * A request: a length (32 bits, the machine's order), then words, each a length, its bytes, and a zero. The first word is
 * the verb, the second a number that the answers repeat:
 *   run ID …        see parse_run()
 *   kill ID         end every process of a run
 *   lock ID FILE    take the exclusive lock of FILE, which is made if missing, as Nix does; never waits
 *   unlock ID       mark the file of a lock as stale, remove it and give the lock back
 *   remove ID PATH  remove a tree; one after the other, by a process that has nothing else to do
 *   own ID UID GID PATH  give a tree to a user and a group, all below it as well; in the same line
 * An answer: a length, a letter, the number (32 bits), then
 *   h  ready; or, with text, not able to make sandboxes, and that is why
 *   s  the process number of a run that begins (32 bits)
 *   o  bytes the builder wrote
 *   e  the status it ended with (32 bits, as of wait()), the most memory one of its processes used (32 bits, KiB)
 *   f  errno (32 bits), then text: its sandbox could not be made
 *   x  errno (32 bits), then text: its program could not be run
 *   l  errno (32 bits), 0 when the lock is ours, EWOULDBLOCK when it is somebody else's
 *   d  errno (32 bits), 0 when the tree is gone, or has its new owner
 * When standard input ends, every builder is killed, every lock given back, every tree that was given to others taken back, and the
 * program ends.
 *
 * Name spaces: the program itself has its own mounts (and, unless it is root, a user name space in which it may mount).
 * A run is a process with new mount, process, IPC, host name and control group name spaces, and a network name space
 * that holds nothing but its own loop. When all is mounted it enters a user name space of its own, in which the build
 * user is 1000 and nobody else exists: no name space that the sandbox is made of belongs to the builder.
 *
 * While a builder runs a spare process gets ready for the next one: it has name spaces, and of the root all up to the first
 * `bind`, as the last run asked for. A run that asks for the same is given to it; any other one begins from nothing.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/if.h>
#include <linux/seccomp.h>
#include <dirent.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>
#include <grp.h>

/* What older kernel headers do not know. The numbers are the same on all architectures. */
#ifndef SYS_open_tree
#define SYS_open_tree 428
#define SYS_move_mount 429
#define SYS_fsopen 430
#define SYS_fsconfig 431
#define SYS_fsmount 432
#endif
#ifndef SYS_close_range
#define SYS_close_range 436
#endif
#ifndef SYS_mount_setattr
#define SYS_mount_setattr 442
#endif
#ifndef SYS_landlock_create_ruleset
#define SYS_landlock_create_ruleset 444
#define SYS_landlock_restrict_self 446
#endif
#define TREE_CLONE 1
#define TREE_CLOEXEC O_CLOEXEC
#define RECURSIVE 0x8000
#define FROM_EMPTY 4
#define ATTR_RDONLY 1
#define ATTR_NOSUID 2
#define ATTR_NODEV 4
#define FS_CLOEXEC 1
#define FS_SET_STRING 1
#define FS_CREATE 6
#define CLOSE_ON_EXEC 4
#define CAPABILITY_VERSION 0x20080522
#define LANDLOCK_ABSTRACT_SOCKETS 1
#define LANDLOCK_SIGNALS 2

struct tree_attr {
  uint64_t set, clear, propagation, userns;
};
struct landlock_attr {
  uint64_t fs, net, scoped;
};

/* Answers that wait for the reader; beyond this no builder's output is taken. */
#define ENOUGH (256 * 1024)
#define OUTPUT_CHUNK 32768
#define MAX_REQUEST (64 << 20)
/* The first user and group, in our user name space, of the range we have there. */
#define FIRST_ID 65536u
#define MAX_IDLE_NETWORKS 16
#define MAX_IDLE_USERS 16
/* A longer request is not given to a spare: it would not fit into one message. */
#define MAX_SPARE_REQUEST (96 * 1024)

struct run {
  struct run *next;
  uint32_t id, uid, gid, ids;
  pid_t pid;
  int terminal; /* our side */
  int channel;  /* the child tells what is done or what failed; -1 later */
  int network;  /* name space of its own; -1 when it is yet to be opened, -2 when the host's is shared */
  int users;    /* its user name space; -1 when it is yet to be opened */
  int mounts;   /* its mount name space, kept so that it is not taken down before the end is told; -1 when it is not */
  int ended, status, failed;
  uint32_t peak; /* KiB, of its largest process */
  int silent;   /* its terminal has no writer any more */
};

struct lock {
  struct lock *next;
  uint32_t id;
  int fd;
  char file[];
};

/* A tree that is somebody else's for the time of a build. */
struct given {
  struct given *next;
  char path[];
};

struct removal {
  struct removal *next;
  uint32_t id;
};

struct buffer {
  char *data;
  size_t start, end, room;
};

/* A user name space no builder is in, and which user is 1000 in it. */
struct users {
  uint32_t uid, gid;
  int space;
};

/* A sandbox made in advance; its run is in no list. */
static struct {
  struct run *run;
  int slave;       /* of its terminal */
  char *words;     /* of the last request, those a spare is made from */
  size_t size;
  int is_outdated; /* they are not those this one was made from */
} spare;

static struct run *runs;
/* Told to have ended, and yet to be taken down. */
static struct run *ended_runs;
static struct lock *locks;
/* What the remover has yet to answer, in order. */
static struct removal *removals, **last_removal = &removals;
static int remover = -1;
static struct buffer in, out;
static int idle_networks[MAX_IDLE_NETWORKS], idle_count;
static struct users idle_users[MAX_IDLE_USERS];
static int idle_users_count;
static int own_network, signals;
static const char *new_root;
static int is_root;
/* What gives us a range of users, and that range; NULL when nobody asked for one. */
static char **range;
/* Who we are, in our user name space, to those who ask for a tree back. */
static uint32_t own_id;
static struct given *given;

static void die(const char *what) {
  fprintf(stderr, "floe-sandbox: %s: %s\n", what, strerror(errno));
  exit(1);
}

static void *reserve(struct buffer *b, size_t size) {
  if (b->start == b->end) b->start = b->end = 0;
  if (b->start > 0 && b->room - b->end < size) {
    memmove(b->data, b->data + b->start, b->end - b->start);
    b->end -= b->start;
    b->start = 0;
  }
  if (b->room - b->end < size) {
    b->room = (b->end + size) * 2;
    b->data = realloc(b->data, b->room);
    if (b->data == NULL) die("memory");
  }
  return b->data + b->end;
}

static void put(const void *data, size_t size) {
  memcpy(reserve(&out, size), data, size);
  out.end += size;
}

static void answer(char kind, uint32_t id, const void *data, size_t size) {
  uint32_t length = size + 5;
  put(&length, 4);
  put(&kind, 1);
  put(&id, 4);
  put(data, size);
}

static void answer_number(char kind, uint32_t id, uint32_t number) { answer(kind, id, &number, 4); }

static void answer_failure(char kind, uint32_t id, int error, const char *text) {
  char data[512];
  uint32_t number = error;
  memcpy(data, &number, 4);
  int size = snprintf(data + 4, sizeof data - 4, "%s: %s", text, strerror(error));
  if (size > (int)sizeof data - 5) size = sizeof data - 5;
  answer(kind, id, data, 4 + size);
}

#include "attributes.c"

/* ---- what the child does ---- */

static int child_channel;

/* Tell the parent why there will be no builder: errno, the letter of the answer, words. */
static void tell(char kind, const char *format, va_list values) {
  int error = errno;
  char text[400];
  memcpy(text, &error, 4);
  text[4] = kind;
  vsnprintf(text + 5, sizeof text - 5, format, values);
  send(child_channel, text, 5 + strlen(text + 5) + 1, MSG_NOSIGNAL);
  _exit(127);
}

static void fail(const char *format, ...) {
  va_list values;
  va_start(values, format);
  tell('f', format, values);
}

static void fail_to_run(const char *format, ...) {
  va_list values;
  va_start(values, format);
  tell('x', format, values);
}

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

static void raise_loop(void) {
  struct ifreq request = {.ifr_name = "lo"};
  int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0) fail("cannot open a socket");
  request.ifr_flags = IFF_UP | IFF_RUNNING;
  if (ioctl(fd, SIOCSIFFLAGS, &request) < 0) fail("cannot raise the loop interface");
  close(fd);
}

struct parsed {
  char **words;
  size_t count;
  size_t filter_at, bind_at; /* of the words `seccomp` and the first `bind`; `count` when there is none */
  int share_network;
  const char *builder;
  char **argv, **envp;
  const void *filter;
  size_t filter_size;
  uint32_t uid, gid, ids, processes;
  uint64_t file_size, data_size;
  int may_gain;
  const char *group;
};

/*
 * The words of a run, each with its values:
 *   uid N, gid N             the build user, in our own user name space
 *   ids N                    users and groups it stands for, from these on: more than one, and it is root of its name space
 *   processes N              the most it may have
 *   file-size N              the longest file it may make, in bytes; 0 for any
 *   data N                   memory each process may fill with data of its own, in bytes
 *   group FILE               puts the process that writes 0 to it into a control group
 *   privileges gain          programs may gain rights, by set-id bits for instance
 *   network share            that of the host
 *   proc TO, dev TO          a process file system, the usual devices
 *   bind FROM TO, ro-bind FROM TO, dev-bind FROM TO
 *   tmpfs TO MODE, dir TO MODE, symlink TARGET TO, remount-ro TO
 *   seccomp BYTES            a filter program
 *   env NAME=VALUE, builder PATH, arg TEXT
 */
static int arity(const char *verb) {
  static const char *const two[] = {"bind", "ro-bind", "dev-bind", "tmpfs", "dir", "symlink"};
  static const char *const one[] = {"uid",  "gid", "ids", "processes",  "file-size", "data", "privileges", "group", "network",
                                    "proc", "dev", "remount-ro", "seccomp",   "env",  "builder",    "arg"};
  for (size_t i = 0; i < sizeof two / sizeof *two; i++)
    if (strcmp(verb, two[i]) == 0) return 2;
  for (size_t i = 0; i < sizeof one / sizeof *one; i++)
    if (strcmp(verb, one[i]) == 0) return 1;
  return -1;
}

static uint32_t word_size(const char *word) {
  uint32_t size;
  memcpy(&size, word - 4, 4);
  return size;
}

static int is(const char *verb, const char *name) { return strcmp(verb, name) == 0; }

static int parse_run(char **words, size_t count, struct parsed *p) {
  *p = (struct parsed){.words = words, .count = count, .filter_at = count, .bind_at = count};
  p->argv = calloc(count + 2, sizeof(char *));
  p->envp = calloc(count + 1, sizeof(char *));
  if (p->argv == NULL || p->envp == NULL) die("memory");
  size_t args = 1, variables = 0;
  for (size_t i = 0; i < count;) {
    char *verb = words[i], *value = i + 1 < count ? words[i + 1] : NULL;
    int values = arity(verb);
    if (values < 0 || i + values >= count) return -1;
    if (is(verb, "uid")) p->uid = strtoul(value, NULL, 10);
    if (is(verb, "gid")) p->gid = strtoul(value, NULL, 10);
    if (is(verb, "ids")) p->ids = strtoul(value, NULL, 10);
    if (is(verb, "processes")) p->processes = strtoul(value, NULL, 10);
    if (is(verb, "file-size")) p->file_size = strtoull(value, NULL, 10);
    if (is(verb, "data")) p->data_size = strtoull(value, NULL, 10);
    if (is(verb, "group")) p->group = value;
    if (is(verb, "privileges")) p->may_gain = is(value, "gain");
    if (is(verb, "network")) p->share_network = 1;
    if (is(verb, "builder")) p->builder = p->argv[0] = value;
    if (is(verb, "arg")) p->argv[args++] = value;
    if (is(verb, "env")) p->envp[variables++] = value;
    if (is(verb, "seccomp")) p->filter = value, p->filter_size = word_size(value), p->filter_at = i;
    if (is(verb, "bind") && i < p->bind_at) p->bind_at = i;
    i += 1 + values;
  }
  return p->builder == NULL ? -1 : 0;
}

/* An empty root. */
static int make_root(void) {
  static const char *const plain[] = {"mode", "0755", NULL};
  attach(new_mount("tmpfs", ATTR_NOSUID | ATTR_NODEV, plain), AT_FDCWD, new_root);
  int root = open(new_root, O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (root < 0) fail("cannot open the new root");
  return root;
}

/* What the words from one place to another mount. */
static void mount_words(const struct parsed *p, int root, size_t from, size_t to) {
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

static void enter_root(int root) {
  if (fchdir(root) < 0 || syscall(SYS_pivot_root, ".", ".") < 0) fail("cannot enter the new root");
  if (umount2(".", MNT_DETACH) < 0) fail("cannot leave the old root");
  if (chdir("/build") < 0) fail("cannot enter /build");
}

static void limit(int what, rlim_t soft, rlim_t hard) {
  struct rlimit now;
  if (getrlimit(what, &now) < 0) fail("cannot read a limit");
  if (now.rlim_max > hard) now.rlim_max = hard;
  now.rlim_cur = soft < now.rlim_max ? soft : now.rlim_max;
  if (setrlimit(what, &now) < 0) fail("cannot set a limit");
}

/* In a user name space that is there already, or in a new one. */
static void become_builder(const struct parsed *p, int users) {
  char go;
  if (users >= 0) {
    if (setns(users, CLONE_NEWUSER) < 0) fail("cannot enter a user name space");
  } else {
    if (unshare(CLONE_NEWUSER) < 0) fail("cannot make a user name space");
    if (send(child_channel, "u", 1, MSG_NOSIGNAL) != 1) _exit(127);
    if (recv(child_channel, &go, 1, 0) != 1) _exit(127);
  }
  uid_t uid = p->ids > 1 ? 0 : 1000;
  gid_t gid = p->ids > 1 ? 0 : 100;
  if (setresgid(gid, gid, gid) < 0 || setresuid(uid, uid, uid) < 0) fail("cannot become the build user");
  /* A change of the user forgets it. */
  if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0) fail("cannot tie the builder to us");
  /* The parent may be dead already: then nobody is at the other end. */
  if (recv(child_channel, &go, 1, MSG_DONTWAIT | MSG_PEEK) >= 0 || errno != EAGAIN) _exit(127);
  if (p->processes != 0) limit(RLIMIT_NPROC, p->processes, p->processes);
}

/*
 * Nothing is left of the rights a new user name space gives, but to who is root of many users there. These are rights over nothing
 * else: the other name spaces of the sandbox belong to us.
 */
static void drop_capabilities(const struct parsed *p) {
  if (p->ids > 1) return;
  for (int capability = 0; prctl(PR_CAPBSET_READ, capability) >= 0; capability++)
    if (prctl(PR_CAPBSET_DROP, capability) < 0) fail("cannot drop a capability");
  uint32_t header[2] = {CAPABILITY_VERSION, 0}, nothing[6] = {0};
  if (syscall(SYS_capset, header, nothing) < 0) fail("cannot drop the capabilities");
}

/* Abstract sockets and signals do not reach out of the sandbox, also where the network is shared. Since Linux 6.12. */
static void confine(void) {
  struct landlock_attr attr = {.scoped = LANDLOCK_ABSTRACT_SOCKETS | LANDLOCK_SIGNALS};
  int ruleset = syscall(SYS_landlock_create_ruleset, &attr, sizeof attr, 0);
  if (ruleset < 0) return;
  if (syscall(SYS_landlock_restrict_self, ruleset, 0) < 0) fail("cannot confine sockets");
  close(ruleset);
}

/* Of what is open keep these alone, in ascending order: a lock of ours lasts as long as somebody has its file open. */
static void keep_only(const int *kept, size_t count) {
  unsigned next = 3;
  for (size_t i = 0; i < count; i++) {
    if (kept[i] < 0) continue;
    if ((unsigned)kept[i] > next) syscall(SYS_close_range, next, kept[i] - 1, 0);
    next = kept[i] + 1;
  }
  syscall(SYS_close_range, next, ~0U, 0);
}

static int by_number(const void *a, const void *b) { return *(const int *)a - *(const int *)b; }

/* The part of a sandbox that does not depend on what is built: up to the first `bind`. Gives the root. */
static int begin(const struct parsed *p, int terminal, int network, int channel) {
  child_channel = channel;
  int kept[] = {channel, terminal, network};
  qsort(kept, 3, sizeof *kept, by_number);
  keep_only(kept, 3);
  if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0) fail("cannot tie the sandbox to us");
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, NULL);
  signal(SIGPIPE, SIG_DFL);
  umask(0);
  if (!p->share_network) {
    if (network >= 0) {
      if (setns(network, CLONE_NEWNET) < 0) fail("cannot enter a network name space");
    } else {
      if (unshare(CLONE_NEWNET) < 0) fail("cannot make a network name space");
      raise_loop();
    }
  }
  if (sethostname("localhost", 9) < 0) fail("cannot set the host name");
  if (setdomainname("(none)", 6) < 0) fail("cannot set the domain name");
  int root = make_root();
  mount_words(p, root, 0, p->bind_at);
  setsid();
  return root;
}

/* As long as the files of the host are in sight, and the right to write to them is ours. */
static void enter_group(const char *file) {
  int fd = open(file, O_WRONLY | O_CLOEXEC);
  if (fd < 0 || write(fd, "0", 1) != 1) fail("cannot enter the control group of %s", file);
  close(fd);
}

/* The rest, and the builder. The filter would judge our own calls too, so it comes last. */
static void finish(const struct parsed *p, int root, int terminal, int users) {
  if (p->group != NULL) enter_group(p->group);
  mount_words(p, root, p->bind_at, p->count);
  enter_root(root);
  int nothing = open("/dev/null", O_RDONLY | O_CLOEXEC);
  if (nothing < 0 || dup2(nothing, 0) < 0 || dup2(terminal, 1) < 0 || dup2(terminal, 2) < 0)
    fail("cannot connect input and output");
  if (syscall(SYS_close_range, 3, ~0U, CLOSE_ON_EXEC) < 0) fail("cannot close what is ours");
  limit(RLIMIT_CORE, 0, RLIM_INFINITY);
  limit(RLIMIT_NOFILE, 1024, RLIM_INFINITY);
  if (p->file_size != 0) limit(RLIMIT_FSIZE, p->file_size, p->file_size);
  if (p->data_size != 0) limit(RLIMIT_DATA, p->data_size, p->data_size);
  umask(022);
  become_builder(p, users);
  /* Who may still gain rights sets up filters by a capability instead, and loses it after that. */
  if (!p->may_gain) {
    drop_capabilities(p);
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0) fail("cannot forbid new privileges");
  }
  if (p->share_network) confine();
  if (p->filter != NULL) {
    struct sock_fprog program = {.len = p->filter_size / sizeof(struct sock_filter), .filter = (void *)p->filter};
    if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) < 0) fail("cannot filter system calls");
  }
  if (p->may_gain) drop_capabilities(p);
  execve(p->builder, p->argv, p->envp);
  fail_to_run("cannot run \"%s\"", p->builder);
}

static char **split_words(char *data, size_t size, size_t *count);

/* A spare waits for the words of its run, and perhaps a user name space. */
static void wait_for_run(int root, int terminal) {
  static char data[MAX_SPARE_REQUEST];
  char control[CMSG_SPACE(sizeof(int))];
  struct iovec place = {data, sizeof data};
  struct msghdr message = {.msg_iov = &place, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
  if (send(child_channel, "r", 1, MSG_NOSIGNAL) != 1) _exit(127);
  ssize_t size = recvmsg(child_channel, &message, MSG_CMSG_CLOEXEC);
  if (size <= 0) _exit(127);
  int users = -1;
  struct cmsghdr *header = CMSG_FIRSTHDR(&message);
  if (header != NULL && header->cmsg_type == SCM_RIGHTS) memcpy(&users, CMSG_DATA(header), sizeof users);
  struct parsed p;
  size_t count;
  char **words = split_words(data, size, &count);
  if (count < 2 || parse_run(words + 2, count - 2, &p) < 0) errno = EINVAL, fail("cannot read the request");
  finish(&p, root, terminal, users);
}

/* ---- what the parent does ---- */

static int open_terminal(int *slave) {
  int master = open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK), unlocked = 0;
  if (master < 0) return -1;
  *slave = -1;
  if (ioctl(master, TIOCSPTLCK, &unlocked) == 0) *slave = ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
  struct termios settings;
  if (*slave < 0 || tcgetattr(*slave, &settings) < 0) goto failed;
  cfmakeraw(&settings);
  /* The build user is the owner of its terminal, as it would be of one it opened. */
  if (tcsetattr(*slave, TCSANOW, &settings) == 0) return master;
failed:
  if (*slave >= 0) close(*slave);
  close(master);
  return -1;
}

static int open_space(const struct run *run, const char *name) {
  char path[64];
  snprintf(path, sizeof path, "/proc/%d/ns/%s", run->pid, name);
  return open(path, O_RDONLY | O_CLOEXEC);
}

/* Make the process of a run, a spare one or one that begins at once; NULL with the reason in `errno` and `failed`. */
static struct run *make_run(const struct parsed *p, int *slave, int is_spare, const char **failed) {
  int channel[2] = {-1, -1};
  int terminal = open_terminal(slave);
  *failed = "cannot make a terminal";
  if (terminal < 0) return NULL;
  *failed = "cannot make a channel";
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, channel) < 0) goto failed;
  if ((is_root || p->ids > 1) && !is_spare) fchown(*slave, p->uid, p->gid);
  *failed = "cannot make name spaces";
  int network = !p->share_network && idle_count > 0 ? idle_networks[--idle_count] : -1;
  int spaces = CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWCGROUP;
  pid_t pid = syscall(SYS_clone, spaces | SIGCHLD, 0, 0, 0, 0);
  if (pid == 0) {
    int root = begin(p, *slave, network, channel[1]);
    if (is_spare) wait_for_run(root, *slave);
    else finish(p, root, *slave, -1);
    _exit(127);
  }
  if (pid < 0) {
    if (network >= 0) idle_networks[idle_count++] = network;
    goto failed;
  }
  struct run *run = calloc(1, sizeof *run);
  if (run == NULL) die("memory");
  *run = (struct run){.pid = pid, .terminal = terminal, .channel = channel[0], .network = network, .users = -1, .mounts = -1};
  if (p->share_network) run->network = -2;
  close(channel[1]);
  fcntl(channel[0], F_SETFL, O_NONBLOCK);
  return run;
failed:;
  int error = errno;
  close(terminal);
  close(*slave);
  if (channel[0] >= 0) close(channel[0]), close(channel[1]);
  errno = error;
  return NULL;
}

static void drop_spare(void) {
  struct run *run = spare.run;
  spare.run = NULL;
  close(spare.slave);
  if (run->channel >= 0) close(run->channel);
  close(run->terminal);
  if (run->network >= 0) close(run->network);
  if (run->mounts >= 0) close(run->mounts);
  if (!run->ended) kill(run->pid, SIGKILL);
  free(run);
}

/* Builds come one after the other: the next one will ask for what this one did. */
static void make_spare(void) {
  struct parsed p;
  const char *failed;
  size_t count;
  if (spare.run != NULL || spare.size == 0) return;
  char **words = split_words(spare.words, spare.size, &count);
  parse_run(words, count, &p);
  spare.run = make_run(&p, &spare.slave, 1, &failed);
  spare.is_outdated = 0;
  free(p.argv);
  free(p.envp);
  free(words);
}

/*
 * Remember what the next spare is made from: the words from `seccomp` to the first `bind`, which stand together. False when
 * there can be none for such a run.
 */
static int note_words(const struct parsed *p) {
  if (p->share_network || p->bind_at == p->count || p->filter_at > p->bind_at) return 0;
  const char *start = p->words[p->filter_at] - 4;
  size_t size = p->words[p->bind_at] - 4 - start;
  if (size == spare.size && memcmp(start, spare.words, size) == 0) return 1;
  spare.words = realloc(spare.words, size);
  if (spare.words == NULL) die("memory");
  memcpy(spare.words, start, size);
  spare.size = size;
  spare.is_outdated = 1;
  return 1;
}

/* Give a request to the spare; NULL when there is none that is made for it. */
static struct run *use_spare(const struct parsed *p, const char *data, size_t size, int *slave) {
  if (!note_words(p) || spare.run == NULL || size > MAX_SPARE_REQUEST) return NULL;
  if (spare.is_outdated) {
    drop_spare();
    return NULL;
  }
  char control[CMSG_SPACE(sizeof(int))] = {0};
  struct iovec place = {(void *)data, size};
  struct msghdr message = {.msg_iov = &place, .msg_iovlen = 1};
  int found = 0;
  while (found < idle_users_count && (idle_users[found].uid != p->uid || idle_users[found].gid != p->gid)) found++;
  /* Those that wait know one user each. */
  if (p->ids > 1) found = idle_users_count;
  if (found < idle_users_count) {
    message.msg_control = control;
    message.msg_controllen = sizeof control;
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    *header = (struct cmsghdr){.cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS, .cmsg_len = CMSG_LEN(sizeof(int))};
    memcpy(CMSG_DATA(header), &idle_users[found].space, sizeof(int));
  }
  if (is_root || p->ids > 1) fchown(spare.slave, p->uid, p->gid);
  if (sendmsg(spare.run->channel, &message, MSG_NOSIGNAL) != (ssize_t)size) {
    drop_spare();
    return NULL;
  }
  struct run *run = spare.run;
  if (found < idle_users_count) {
    run->users = idle_users[found].space;
    idle_users[found] = idle_users[--idle_users_count];
  }
  *slave = spare.slave;
  spare.run = NULL;
  return run;
}

static void start_run(uint32_t id, char **words, size_t count, const char *data, size_t size) {
  struct parsed p;
  int slave = -1;
  const char *failed = "cannot read the request";
  struct run *run = NULL;
  errno = EINVAL;
  if (parse_run(words, count, &p) == 0) {
    run = use_spare(&p, data, size, &slave);
    if (run == NULL) run = make_run(&p, &slave, 0, &failed);
  }
  if (run == NULL) answer_failure('f', id, errno, failed);
  else {
    close(slave);
    run->id = id;
    run->uid = p.uid;
    run->gid = p.gid;
    run->ids = p.ids;
    run->next = runs;
    runs = run;
    answer_number('s', id, run->pid);
  }
  free(p.argv);
  free(p.envp);
}

static int write_map(pid_t pid, const char *name, const char *text) {
  char path[64];
  snprintf(path, sizeof path, "/proc/%d/%s", pid, name);
  int fd = open(path, O_WRONLY | O_CLOEXEC);
  if (fd < 0) return -1;
  ssize_t written = write(fd, text, strlen(text));
  close(fd);
  return written < 0 ? -1 : 0;
}

/* The child is in its user name space: say who it is there, and let it go on. */
static int introduce(struct run *run) {
  char text[64];
  if (run->network == -1) run->network = open_space(run, "net");
  run->users = open_space(run, "user");
  int is_range = run->ids > 1;
  if (!is_range && write_map(run->pid, "setgroups", "deny") < 0) return -1;
  snprintf(text, sizeof text, is_range ? "0 %u %u" : "100 %u 1", run->gid, run->ids);
  if (write_map(run->pid, "gid_map", text) < 0) return -1;
  snprintf(text, sizeof text, is_range ? "0 %u %u" : "1000 %u 1", run->uid, run->ids);
  if (write_map(run->pid, "uid_map", text) < 0) return -1;
  return send(run->channel, "g", 1, MSG_NOSIGNAL) == 1 ? 0 : -1;
}

static void make_spare(void);

static void hear(struct run *run) {
  char text[401];
  ssize_t size = recv(run->channel, text, sizeof text - 1, 0);
  if (size == 1 && text[0] == 'r') {
    /* A spare is ready. */
    if (run->network == -1) run->network = open_space(run, "net");
    run->mounts = open_space(run, "mnt");
  } else if (size == 1) {
    if (introduce(run) == 0) return;
    answer_failure('f', run->id, errno, "cannot set up the build user");
    run->failed = 1;
    kill(run->pid, SIGKILL);
  } else if (size > 4) {
    int error;
    memcpy(&error, text, 4);
    text[size] = 0;
    answer_failure(text[4], run->id, error, text + 5);
    run->failed = 1;
  } else if (size < 0 && errno == EAGAIN) {
    return;
  }
  if (size <= 0) {
    close(run->channel);
    run->channel = -1;
    /* The builder runs, and nothing of ours holds it up. */
    if (!run->failed) make_spare();
  }
}

/* A spare that says anything but that it is ready cannot be used; who needs a sandbox next is told why. */
static void hear_spare(void) {
  char text[8];
  struct run *run = spare.run;
  if (recv(run->channel, text, sizeof text, MSG_PEEK) == 1 && text[0] == 'r') hear(run);
  else drop_spare();
}

/* True when there may be more. */
static int read_output(struct run *run) {
  char *place = reserve(&out, OUTPUT_CHUNK + 9);
  ssize_t size = read(run->terminal, place + 9, OUTPUT_CHUNK);
  if (size > 0) {
    uint32_t length = size + 5;
    memcpy(place, &length, 4);
    place[4] = 'o';
    memcpy(place + 5, &run->id, 4);
    out.end += size + 9;
    return 1;
  }
  /* A writer that is gone shows as an error of the device. */
  if (size == 0 || errno == EIO) run->silent = 1;
  return 0;
}

/* Whether the loop of the network name space we are in counted nothing, and there is nothing but the loop. */
static int has_silent_loop(void) {
  char text[4096];
  int fd = open("/proc/thread-self/net/dev", O_RDONLY | O_CLOEXEC);
  if (fd < 0) return 0;
  ssize_t size = read(fd, text, sizeof text - 1);
  close(fd);
  text[size < 0 ? 0 : size] = 0;
  char *at = strstr(text, "lo:");
  if (at == NULL || strchr(at, '\n') == NULL || strchr(at, '\n')[1] != 0) return 0;
  at += 3;
  for (int i = 0; i < 16; i++)
    if (strtoull(at, &at, 10) != 0) return 0;
  return 1;
}

/* Nothing was ever sent in such a name space: no connection lingers in it, and it serves again. */
static int is_untouched(int network) {
  int untouched, status;
  if (is_root) {
    if (setns(network, CLONE_NEWNET) < 0) return 0;
    untouched = has_silent_loop();
    if (setns(own_network, CLONE_NEWNET) < 0) die("cannot return to our network");
    return untouched;
  }
  /* Who is not root could not return to the network of the host. */
  pid_t pid = fork();
  if (pid == 0) _exit(setns(network, CLONE_NEWNET) == 0 && has_silent_loop() ? 0 : 1);
  return pid > 0 && waitpid(pid, &status, 0) == pid && status == 0;
}

/* Tell the end of a run. What is left of it is taken down when that is on its way. */
static void tell_end(struct run **place) {
  struct run *run = *place;
  if (run->channel >= 0) hear(run);
  uint32_t ending[2] = {run->status, run->peak};
  if (!run->failed) answer('e', run->id, ending, sizeof ending);
  *place = run->next;
  run->next = ended_runs;
  ended_runs = run;
}

static void take_down(struct run *run) {
  if (run->channel >= 0) close(run->channel);
  close(run->terminal);
  if (run->mounts >= 0) close(run->mounts);
  if (run->network >= 0) {
    if (idle_count < MAX_IDLE_NETWORKS && is_untouched(run->network)) idle_networks[idle_count++] = run->network;
    else close(run->network);
  }
  if (run->users >= 0) {
    /* One whose user was never told to it is of no use; one that had a root may not be as it was. */
    if (run->failed || run->ids > 1 || idle_users_count == MAX_IDLE_USERS) close(run->users);
    else idle_users[idle_users_count++] = (struct users){run->uid, run->gid, run->users};
  }
  free(run);
}

static void reap(void) {
  struct signalfd_siginfo info[8];
  while (read(signals, info, sizeof info) > 0) {
  }
  int status;
  pid_t pid;
  struct rusage used;
  while ((pid = wait4(-1, &status, WNOHANG, &used)) > 0) {
    for (struct run *run = runs; run != NULL; run = run->next)
      if (run->pid == pid) run->ended = 1, run->status = status, run->peak = used.ru_maxrss;
    if (spare.run != NULL && spare.run->pid == pid) {
      spare.run->ended = 1;
      drop_spare();
    }
  }
}

static struct run *find_run(uint32_t id) {
  struct run *run = runs;
  while (run != NULL && run->id != id) run = run->next;
  return run;
}

static void take_lock(uint32_t id, const char *file) {
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

static char **split_words(char *data, size_t size, size_t *found) {
  size_t room = 64, count = 0;
  char **words = malloc(room * sizeof *words);
  if (words == NULL) die("memory");
  for (size_t at = 0; at < size;) {
    uint32_t length;
    if (size - at < 5) exit(2);
    memcpy(&length, data + at, 4);
    if (length > size - at - 5 || data[at + 4 + length] != 0) exit(2);
    if (count == room) words = realloc(words, (room *= 2) * sizeof *words);
    if (words == NULL) die("memory");
    words[count++] = data + at + 4;
    at += 5 + length;
  }
  *found = count;
  return words;
}

/* ---- removing ---- */

/* Deeper trees are for somebody with more patience. */
#define MAX_DEPTH 200

/* 0, or errno. */
static int remove_tree(int parent, const char *name, int depth) {
  if (unlinkat(parent, name, 0) == 0 || errno == ENOENT) return 0;
  if (errno != EISDIR) return errno;
  if (unlinkat(parent, name, AT_REMOVEDIR) == 0) return 0;
  if (errno != ENOTEMPTY && errno != EEXIST) return errno;
  if (depth == MAX_DEPTH) return ELOOP;
  int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (fd < 0 && errno == EACCES && !is_root && fchmodat(parent, name, 0700, 0) == 0)
    fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (fd < 0) return errno;
  if (!is_root) fchmod(fd, 0700);
  DIR *directory = fdopendir(fd);
  if (directory == NULL) {
    int error = errno;
    close(fd);
    return error;
  }
  int error = 0;
  for (struct dirent *entry; error == 0 && (entry = readdir(directory)) != NULL;)
    if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
      error = remove_tree(fd, entry->d_name, depth + 1);
  closedir(directory);
  if (error == 0 && unlinkat(parent, name, AT_REMOVEDIR) < 0) error = errno;
  return error;
}

/* Each level costs a directory that is open. */
#define MAX_OWNED_DEPTH 1000

/* 0, or errno. Nobody else changes the tree meanwhile; links are not followed. */
static int own_tree(int parent, const char *name, uid_t uid, gid_t gid, int depth) {
  struct stat stat;
  if (fstatat(parent, name, &stat, AT_SYMLINK_NOFOLLOW) < 0) return errno;
  if (fchownat(parent, name, uid, gid, AT_SYMLINK_NOFOLLOW) < 0) return errno;
  if (!S_ISDIR(stat.st_mode)) return 0;
  if (depth == MAX_OWNED_DEPTH) return ELOOP;
  int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (fd < 0) return errno;
  DIR *directory = fdopendir(fd);
  if (directory == NULL) {
    int error = errno;
    close(fd);
    return error;
  }
  int error = 0;
  for (struct dirent *entry; error == 0 && (entry = readdir(directory)) != NULL;)
    if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
      error = own_tree(fd, entry->d_name, uid, gid, depth + 1);
  closedir(directory);
  return error;
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
    if (path[0] == '/') error = remove_tree(AT_FDCWD, path, 0);
    else if (sscanf(path, "%u %u %n", &uid, &gid, &at) == 2 && at > 0) error = own_tree(AT_FDCWD, path + at, uid, gid, 0);
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

static void remove_later(uint32_t id, const char *path) {
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

static void own_later(uint32_t id, const char *uid, const char *gid, const char *path) {
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

static void hear_remover(void) {
  int error;
  ssize_t size = recv(remover, &error, sizeof error, MSG_DONTWAIT);
  if (size == sizeof error) return answer_removal(error);
  if (size < 0 && errno == EAGAIN) return;
  /* It was killed. */
  close(remover);
  remover = -1;
  while (removals != NULL) answer_removal(EIO);
}

/* ---- requests and answers ---- */

static void obey(char *data, size_t size) {
  size_t count;
  char **words = split_words(data, size, &count);
  if (count < 2) exit(2);
  uint32_t id = strtoul(words[1], NULL, 10);
  if (is(words[0], "run")) start_run(id, words + 2, count - 2, data, size);
  else if (is(words[0], "kill")) {
    struct run *run = find_run(id);
    /* The first process of a name space takes all others with it. */
    if (run != NULL && !run->ended) kill(run->pid, SIGKILL);
  } else if (is(words[0], "lock") && count == 3) take_lock(id, words[2]);
  else if (is(words[0], "remove") && count == 3) remove_later(id, words[2]);
  else if (is(words[0], "own") && count == 5) own_later(id, words[2], words[3], words[4]);
  else if (is(words[0], "unlock")) {
    for (struct lock **place = &locks; *place != NULL; place = &(*place)->next)
      if ((*place)->id == id) {
        give_back(place);
        break;
      }
  } else exit(2);
  free(words);
}

static void end(void) {
  for (struct run *run = runs; run != NULL; run = run->next)
    if (!run->ended) kill(run->pid, SIGKILL);
  for (struct run *run = runs; run != NULL; run = run->next)
    if (!run->ended) waitpid(run->pid, NULL, 0);
  if (spare.run != NULL) {
    pid_t pid = spare.run->pid;
    drop_spare();
    waitpid(pid, NULL, 0);
  }
  for (; given != NULL; given = given->next) own_tree(AT_FDCWD, given->path, own_id, own_id, 0);
  while (locks != NULL) give_back(&locks);
  exit(0);
}

/* False at the end of the requests. */
static int read_requests(void) {
  char *place = reserve(&in, 65536);
  ssize_t size = read(0, place, 65536);
  if (size == 0) return 0;
  if (size < 0) return errno == EAGAIN || errno == EINTR;
  in.end += size;
  for (;;) {
    uint32_t length;
    size_t held = in.end - in.start;
    if (held < 4) return 1;
    memcpy(&length, in.data + in.start, 4);
    if (length > MAX_REQUEST) exit(2);
    if (held - 4 < length) {
      reserve(&in, length + 4 - held);
      return 1;
    }
    obey(in.data + in.start + 4, length);
    in.start += 4 + length;
  }
}

static void write_answers(void) {
  while (out.start < out.end) {
    ssize_t size = write(1, out.data + out.start, out.end - out.start);
    if (size < 0) {
      if (errno == EAGAIN || errno == EINTR) return;
      end();
    }
    out.start += size;
  }
}

/* Runs one of the programs that may say who we are in our user name space; 0 when it has. */
static int run_mapper(const char *program, const char *pid, const char *own, const char *first, const char *count) {
  int status;
  pid_t child = fork();
  if (child == 0) {
    char inside[16];
    snprintf(inside, sizeof inside, "%u", FIRST_ID);
    char *const none[] = {NULL};
    execle(program, program, pid, "1", own, "1", inside, first, count, NULL, none);
    _exit(127);
  }
  return child > 0 && waitpid(child, &status, 0) == child && status == 0 ? 0 : -1;
}

/* A process that stayed outside of our user name space has a range of users and groups mapped into it. */
static const char *take_range(uid_t uid, gid_t gid) {
  int channel[2], status;
  char pid[16], users[16], groups[16], go;
  snprintf(pid, sizeof pid, "%d", getpid());
  snprintf(users, sizeof users, "%u", uid);
  snprintf(groups, sizeof groups, "%u", gid);
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, channel) < 0) return "cannot speak to a mapper";
  pid_t mapper = fork();
  if (mapper == 0) {
    close(channel[0]);
    /* What the programs say is not for our caller, who reads answers there. */
    dup2(2, 1);
    if (recv(channel[1], &go, 1, 0) != 1) _exit(1);
    if (run_mapper(range[1], pid, groups, range[3], range[4]) < 0) _exit(2);
    _exit(run_mapper(range[0], pid, users, range[2], range[4]) < 0 ? 3 : 0);
  }
  close(channel[1]);
  const char *refused = NULL;
  if (mapper < 0) refused = "cannot start a mapper";
  else if (unshare(CLONE_NEWUSER | CLONE_NEWNS) < 0) refused = "cannot make a user name space";
  if (refused == NULL && send(channel[0], "g", 1, MSG_NOSIGNAL) != 1) refused = "cannot speak to a mapper";
  int error = errno;
  close(channel[0]);
  if (mapper > 0 && waitpid(mapper, &status, 0) == mapper && refused == NULL && status != 0) {
    error = EPERM;
    refused = WIFEXITED(status) && WEXITSTATUS(status) == 3 ? "newuidmap gives us no users" : "newgidmap gives us no groups";
  }
  errno = error;
  return refused;
}

static const char *keep_mounts(void) {
  if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0) return "cannot keep mounts to ourselves";
  own_network = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
  return own_network < 0 ? "cannot open the network name space" : NULL;
}

/* Mounts of our own, and the right to make them. */
static const char *prepare(void) {
  is_root = geteuid() == 0;
  uid_t uid = geteuid();
  gid_t gid = getegid();
  /* Root of a name space that may not leave its groups is no better than a user. */
  if (!is_root || setgroups(0, NULL) < 0 || unshare(CLONE_NEWNS) < 0) {
    char text[64];
    is_root = 0;
    own_id = 1;
    if (range != NULL) {
      const char *refused = take_range(uid, gid);
      if (refused != NULL) return refused;
      return keep_mounts();
    }
    if (unshare(CLONE_NEWUSER | CLONE_NEWNS) < 0) return "cannot make a user name space";
    if (write_map(getpid(), "setgroups", "deny") < 0) return "cannot set up the user name space";
    /* Not 0: what belongs to the root of a name space could be changed by builders, which are the same user. */
    snprintf(text, sizeof text, "1 %u 1", uid);
    if (write_map(getpid(), "uid_map", text) < 0) return "cannot set up the user name space";
    snprintf(text, sizeof text, "1 %u 1", gid);
    if (write_map(getpid(), "gid_map", text) < 0) return "cannot set up the user name space";
  }
  return keep_mounts();
}

int main(int count, char **args) {
  if (count >= 4 && strcmp(args[1], "attributes") == 0) return attributes(args + 2);
  if (count != 2 && count != 7) {
    fprintf(stderr, "usage: floe-sandbox DIRECTORY [NEWUIDMAP NEWGIDMAP FIRST-UID FIRST-GID COUNT], or floe-sandbox attributes list|strip PATH IGNORED...\n");
    return 2;
  }
  new_root = args[1];
  range = count == 7 ? args + 2 : NULL;
  /* Standard input, output and errors apart, nothing of our caller's is ours. */
  syscall(SYS_close_range, 3, ~0U, 0);
  struct rlimit files;
  if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
  }
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGCHLD);
  sigprocmask(SIG_BLOCK, &set, NULL);
  signal(SIGPIPE, SIG_IGN);
  signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
  if (signals < 0) die("cannot wait for signals");
  fcntl(0, F_SETFL, fcntl(0, F_GETFL) | O_NONBLOCK);
  fcntl(1, F_SETFL, fcntl(1, F_GETFL) | O_NONBLOCK);
  const char *refused = prepare();
  char text[256] = "";
  if (refused != NULL) snprintf(text, sizeof text, "%s: %s", refused, strerror(errno));
  answer('h', is_root, text, strlen(text));
  struct pollfd *polled = NULL;
  size_t room = 0;
  for (;;) {
    size_t known = 5;
    for (struct run *run = runs; run != NULL; run = run->next) known += 2;
    if (known > room && (polled = realloc(polled, (room = known * 2) * sizeof *polled)) == NULL) die("memory");
    int is_behind = out.end - out.start > ENOUGH;
    polled[0] = (struct pollfd){.fd = 0, .events = POLLIN};
    polled[1] = (struct pollfd){.fd = out.end > out.start ? 1 : -1, .events = POLLOUT};
    polled[2] = (struct pollfd){.fd = signals, .events = POLLIN};
    polled[3] = (struct pollfd){.fd = spare.run != NULL ? spare.run->channel : -1, .events = POLLIN};
    polled[4] = (struct pollfd){.fd = remover, .events = POLLIN};
    known = 5;
    for (struct run *run = runs; run != NULL; run = run->next) {
      polled[known++] = (struct pollfd){.fd = run->channel, .events = POLLIN};
      polled[known++] = (struct pollfd){.fd = is_behind || run->silent ? -1 : run->terminal, .events = POLLIN};
    }
    if (poll(polled, known, -1) < 0 && errno != EINTR) die("cannot wait");
    known = 5;
    for (struct run *run = runs; run != NULL; run = run->next, known += 2) {
      if (polled[known].revents != 0) hear(run);
      if (polled[known + 1].revents != 0) read_output(run);
    }
    if (polled[3].revents != 0) hear_spare();
    if (polled[4].revents != 0) hear_remover();
    if (polled[2].revents != 0) reap();
    /* Every process of a builder that ended is dead: what is in its terminal now is all there will be. */
    for (struct run **place = &runs; *place != NULL;) {
      struct run *run = *place;
      if (run->ended && out.end - out.start <= ENOUGH) {
        while (out.end - out.start <= ENOUGH && read_output(run)) {
        }
        if (out.end - out.start <= ENOUGH) {
          tell_end(place);
          continue;
        }
      }
      place = &run->next;
    }
    /* The list of what was polled is old now: new runs may begin. */
    if (polled[0].revents != 0 && !read_requests()) end();
    write_answers();
    while (ended_runs != NULL) {
      struct run *run = ended_runs;
      ended_runs = run->next;
      take_down(run);
    }
  }
}
