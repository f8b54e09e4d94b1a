/*
 * floe-sandbox attributes list|strip PATH IGNORED…: extended attributes, access control lists among them, which Node can neither
 * see nor remove. `list` prints those of PATH itself, one to a line; `strip` removes those of every file of a tree. The ignored ones
 * are left out and left alone.
 *
 * It ends with 0 when it is done, with 1 and words when an attribute cannot be removed.
 */
#define _GNU_SOURCE
#include "attributes.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>
#include "answers.h"

static int is_ignored_attribute(const char *name, char **ignored) {
  for (; *ignored != NULL; ignored++)
    if (strcmp(name, *ignored) == 0) return 1;
  return 0;
}

/* -1 after words on the standard error. */
static int attribute_failure(const char *what, const char *name, const char *file) {
  fprintf(stderr, "cannot %s%s of \"%s\": %s\n", what, name, file, strerror(errno));
  return -1;
}

/* Of one file, not of what it points to. */
static int treat_attributes(const char *file, char **ignored, int is_removing) {
  ssize_t size = llistxattr(file, NULL, 0);
  if (size < 0) return errno == ENOTSUP ? 0 : attribute_failure("list the attributes", "", file);
  if (size == 0) return 0;
  char *names = malloc(size);
  if (names == NULL) die("memory");
  /* Nobody else changes it; one that was added all the same is not ours. */
  size = llistxattr(file, names, size);
  int result = size < 0 ? attribute_failure("list the attributes", "", file) : 0;
  for (char *name = names; name < names + size; name += strlen(name) + 1) {
    if (is_ignored_attribute(name, ignored)) continue;
    if (!is_removing) puts(name);
    else if (lremovexattr(file, name) < 0 && errno != ENODATA) result = attribute_failure("remove ", name, file);
  }
  free(names);
  return result;
}

/* `name` is an entry of the working directory, which `here` is open at; it is that again afterwards. */
static int strip_tree(int here, const char *name, char **ignored) {
  struct stat found;
  if (lstat(name, &found) < 0) return attribute_failure("look", "", name);
  int result = treat_attributes(name, ignored, 1);
  if (!S_ISDIR(found.st_mode)) return result;
  int fd = open(name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  DIR *directory = fd < 0 ? NULL : fdopendir(fd);
  if (directory == NULL || fchdir(fd) < 0) return attribute_failure("open the entries", "", name);
  for (struct dirent *entry; (entry = readdir(directory)) != NULL;)
    if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
      if (strip_tree(fd, entry->d_name, ignored) < 0) result = -1;
  closedir(directory);
  if (fchdir(here) < 0) die("cannot return to a directory");
  return result;
}

int attributes(char **args) {
  char **ignored = args + 2;
  int result;
  if (strcmp(args[0], "list") == 0) result = treat_attributes(args[1], ignored, 0);
  else if (strcmp(args[0], "strip") == 0) {
    int here = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
    struct rlimit files;
    if (here < 0) die("cannot open the working directory");
    /* Each open directory of a deep tree takes one. */
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
      files.rlim_cur = files.rlim_max;
      setrlimit(RLIMIT_NOFILE, &files);
    }
    result = strip_tree(here, args[1], ignored);
  } else return 2;
  return result == 0 ? 0 : 1;
}
