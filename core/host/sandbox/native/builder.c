#define _GNU_SOURCE
#include "builder.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/if.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>
#include "failure.h"
#include "mounts.h"
#include "system.h"

static void raise_loop(void) {
  struct ifreq request = {.ifr_name = "lo"};
  int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0) fail("cannot open a socket");
  request.ifr_flags = IFF_UP | IFF_RUNNING;
  if (ioctl(fd, SIOCSIFFLAGS, &request) < 0) fail("cannot raise the loop interface");
  close(fd);
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

void keep_only(const int *kept, size_t count) {
  unsigned next = 3;
  for (size_t i = 0; i < count; i++) {
    if (kept[i] < 0) continue;
    if ((unsigned)kept[i] > next) syscall(SYS_close_range, next, kept[i] - 1, 0);
    next = kept[i] + 1;
  }
  syscall(SYS_close_range, next, ~0U, 0);
}

static int by_number(const void *a, const void *b) { return *(const int *)a - *(const int *)b; }

int begin(const struct parsed *p, int terminal, int network, int channel) {
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

/* The filter would judge our own calls too, so it comes last. */
void finish(const struct parsed *p, int root, int terminal, int users) {
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

void wait_for_run(int root, int terminal) {
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
