/*
 * A fork has the calling thread alone. Here the main thread forks, in the handler of a signal, while all others stand in theirs; in the
 * copy each of them is made anew on its old stack, where it returns from its handler. The kernel restores from the frame of the signal
 * what registers, floating point and signal mask were, as it does after any handler; a system call that was interrupted begins again or
 * says EINTR. What the kernel knows of a thread besides (thread number, robust list, restartable sequences, signal stack) is set anew.
 */
#define _GNU_SOURCE
#include "threads.h"

#include <errno.h>
#include <linux/futex.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>
#include "system.h"

#ifndef __x86_64__
#error "threads are made anew by code for x86_64"
#endif

#define MAX_THREADS 512
/* How long threads are given until all stand, and how long one that was at work until it is asked again. */
#define STAND_MS 5000
#define PAUSE_MS 5

/* A thread comes to its handler, stands there (the main one may fork), is let go, and does not look at its place here any more. */
enum { CALLED, COMES, STANDS, FORKS, GOES_ON, LEFT };

struct thread {
  /* Where its registers are while it stands. First, for the assembly below. */
  void *stack;
  pid_t tid;
  /* Its number until it comes, or need not any more: a late signal is not taken for one of another thread that has this place by then. */
  volatile pid_t called;
  /* A futex. */
  volatile int state;
  /* It was waiting in a system call. */
  int waits;
  void *thread_pointer;
  int *tid_address;
  void *robust_list;
  size_t robust_size;
  stack_t signal_stack;
};

static struct thread threads[MAX_THREADS];
static volatile int count;
/* Told at each change of a thread's state. */
static volatile int changes;
static pid_t main_thread;

static void (*begin_copy)(void);
static void (*copy_done)(void);
static volatile pid_t forked;
static volatile int fork_error;

static void wait_while(volatile int *word, int value) {
  while (*word == value) syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, value, NULL, NULL, 0);
}

static void set(volatile int *word, int value) {
  *word = value;
  syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, 1 << 30, NULL, NULL, 0);
}

/* Whether it was `from`, and so is `to` now. */
static int change(volatile int *word, int from, int to) { return __sync_bool_compare_and_swap(word, from, to); }

static void tell_change(void) {
  __sync_fetch_and_add(&changes, 1);
  syscall(SYS_futex, &changes, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}

static void leave(struct thread *me) {
  me->state = LEFT;
  tell_change();
}

static void stand(struct thread *me) {
  me->state = STANDS;
  tell_change();
  wait_while(&me->state, STANDS);
  leave(me);
}

/*
 * stand_still(me, stand): keep the registers that a function keeps on the stack, and call the other function. 0 when that returns; in a
 * copy the thread comes out of it a second time, with 1.
 *
 * clone_at(flags, stack, parent_tid, child_tid, thread_pointer): a thread that comes out of stand_still(). Its number, or -errno.
 */
int stand_still(struct thread *me, void (*function)(struct thread *));
long clone_at(unsigned long flags, void *stack, int *parent_tid, int *child_tid, void *thread_pointer);

__asm__(
    ".text\n"
    ".hidden stand_still\n"
    ".globl stand_still\n"
    ".type stand_still, @function\n"
    "stand_still:\n"
    "  push %rbp\n"
    "  push %rbx\n"
    "  push %r12\n"
    "  push %r13\n"
    "  push %r14\n"
    "  push %r15\n"
    "  mov %rsp, (%rdi)\n"
    "  sub $8, %rsp\n"
    "  call *%rsi\n"
    "  add $8, %rsp\n"
    "  xor %eax, %eax\n"
    "come_out:\n"
    "  pop %r15\n"
    "  pop %r14\n"
    "  pop %r13\n"
    "  pop %r12\n"
    "  pop %rbx\n"
    "  pop %rbp\n"
    "  ret\n"
    ".hidden clone_at\n"
    ".globl clone_at\n"
    ".type clone_at, @function\n"
    "clone_at:\n"
    "  mov %rcx, %r10\n"
    "  mov $56, %eax\n"
    "  syscall\n"
    "  test %rax, %rax\n"
    "  jnz 1f\n"
    "  mov $1, %eax\n"
    "  jmp come_out\n"
    "1:\n"
    "  ret\n");

#define CLONE_THREAD_FLAGS 0x3d0f00 /* VM, FS, FILES, SIGHAND, THREAD, SYSVSEM, SETTLS, PARENT_SETTID, CHILD_CLEARTID */
#define CLONE_FORK_FLAGS (0x1200000 | SIGCHLD) /* CHILD_SETTID, CHILD_CLEARTID */

/* What the kernel knew of the thread. Restartable sequences are registered as the C library did; Source: rseq(2), its ABI. */
static void tell_kernel(const struct thread *me, int is_new) {
  syscall(SYS_set_robust_list, me->robust_list, me->robust_size);
  if (!is_new) return;
  sigaltstack(&me->signal_stack, NULL);
  register_sequences(me->thread_pointer);
}

/* Whether this is the copy. */
static int fork_here(struct thread *me) {
  long pid = syscall(SYS_clone, CLONE_FORK_FLAGS, 0, 0, me->tid_address, 0);
  if (pid != 0) {
    fork_error = errno;
    forked = pid;
    set(&me->state, STANDS);
    return 0;
  }
  tell_kernel(me, 0);
  begin_copy();
  for (int i = 0; i < count; i++) {
    struct thread *other = &threads[i];
    if (other == me) continue;
    if (clone_at(CLONE_THREAD_FLAGS, other->stack, other->tid_address, other->tid_address, other->thread_pointer) < 0) _exit(1);
  }
  copy_done();
  return 1;
}

/* Whether the context is one that waits: about to begin such a call again, or told that it was interrupted. */
static int is_waiting(const ucontext_t *context) {
  const greg_t *registers = context->uc_mcontext.gregs;
  const unsigned char *code = (const unsigned char *)registers[REG_RIP];
  long result = registers[REG_RAX];
  if (code[-2] == 0x0f && code[-1] == 0x05 && result == -EINTR) return 1;
  if (code[0] != 0x0f || code[1] != 0x05) return 0;
  return result == SYS_futex || result == SYS_poll || result == SYS_ppoll || result == SYS_epoll_wait || result == SYS_epoll_pwait ||
         result == SYS_clock_nanosleep || result == SYS_restart_syscall;
}

static void on_signal(int number, siginfo_t *info, void *context) {
  (void)number;
  (void)info;
  int saved = errno;
  pid_t tid = syscall(SYS_gettid);
  struct thread *me = NULL;
  for (int i = 0; i < count; i++)
    if (threads[i].tid == tid) me = &threads[i];
  if (me == NULL || !change(&me->called, tid, 0)) return;
  me->state = COMES;
  me->waits = is_waiting(context);
  __asm__("mov %%fs:0, %0" : "=r"(me->thread_pointer));
  if (prctl(PR_GET_TID_ADDRESS, &me->tid_address) != 0) me->tid_address = NULL;
  syscall(SYS_get_robust_list, 0, &me->robust_list, &me->robust_size);
  sigaltstack(NULL, &me->signal_stack);
  if (tid != main_thread) {
    if (stand_still(me, stand)) tell_kernel(me, 1);
  } else {
    me->state = STANDS;
    tell_change();
    do wait_while(&me->state, STANDS);
    while (me->state == FORKS && !fork_here(me));
    leave(me);
  }
  errno = saved;
}

void prepare_threads(void) {
  main_thread = syscall(SYS_gettid);
  struct sigaction action;
  memset(&action, 0, sizeof action);
  action.sa_sigaction = on_signal;
  action.sa_flags = SA_SIGINFO | SA_RESTART;
  sigfillset(&action.sa_mask);
  sigaction(STAND_SIGNAL, &action, NULL);
}

static int is_known(pid_t tid) {
  for (int i = 0; i < count; i++)
    if (threads[i].tid == tid) return 1;
  return 0;
}

static int is_gone(pid_t tid) { return syscall(SYS_tgkill, getpid(), tid, 0) != 0; }

/* Signal a thread that is not among them yet. */
static int call_thread(long tid) {
  if (tid == syscall(SYS_gettid) || is_known(tid)) return 0;
  if (count == MAX_THREADS) return -1;
  memset(&threads[count], 0, sizeof threads[count]);
  threads[count].tid = tid;
  threads[count].state = CALLED;
  threads[count].called = tid;
  count++;
  if (syscall(SYS_tgkill, getpid(), tid, STAND_SIGNAL) != 0) count--;
  return 1;
}

/* For a while: a thread that ends tells nobody. */
static void wait_for_change(int seen) {
  struct timespec pause = {0, 20000000};
  syscall(SYS_futex, &changes, FUTEX_WAIT_PRIVATE, seen, &pause, NULL, 0);
}

static long now_ms(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Wait until all that were called stand or are gone. */
static int all_stand(long until) {
  for (;;) {
    int seen = changes, missing = 0;
    for (int i = 0; i < count; i++)
      if (threads[i].state < STANDS && !is_gone(threads[i].tid)) missing++;
    if (missing == 0) return 1;
    if (now_ms() > until) return 0;
    wait_for_change(seen);
  }
}

static const char *stop_once(long until) {
  count = 0;
  /* Threads that stand make no others, so a list without a new one is whole. */
  for (int news = 1; news > 0;) {
    news = each_number("/proc/self/task", call_thread);
    if (news < 0) return "its threads cannot be listed";
    if (!all_stand(until)) return "one of its threads does not stand still";
  }
  for (int i = 0; i < count; i++) {
    if (threads[i].state != STANDS) return "one of its threads ended";
    if (!threads[i].waits) return "one of its threads is at work";
    if (threads[i].tid_address == NULL || threads[i].robust_list == NULL) return "the kernel does not tell about its threads";
  }
  return is_known(main_thread) ? NULL : "its main thread has ended";
}

const char *stop_threads(void) {
  long until = now_ms() + STAND_MS;
  for (;;) {
    const char *reason = stop_once(until);
    if (reason == NULL) return NULL;
    release_threads();
    if (now_ms() > until) return reason;
    poll(NULL, 0, PAUSE_MS);
  }
}

void release_threads(void) {
  for (int i = 0; i < count; i++) {
    struct thread *thread = &threads[i];
    /* One that has not come yet will find that nobody waits for it. */
    if (change(&thread->called, thread->tid, 0)) continue;
    for (int seen = changes; thread->state != LEFT && !is_gone(thread->tid); seen = changes)
      if (!change(&thread->state, STANDS, GOES_ON)) wait_for_change(seen);
      else syscall(SYS_futex, &thread->state, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
  }
}

pid_t fork_stopped(void (*begin)(void), void (*done)(void)) {
  begin_copy = begin;
  copy_done = done;
  for (int i = 0; i < count; i++) {
    if (threads[i].tid != main_thread) continue;
    set(&threads[i].state, FORKS);
    while (threads[i].state == FORKS) wait_while(&threads[i].state, FORKS);
    errno = fork_error;
    return forked;
  }
  errno = ESRCH;
  return -1;
}
