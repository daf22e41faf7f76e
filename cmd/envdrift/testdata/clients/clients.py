"""What Python git clients do in a repository: clients.py CLIENT DO REPO [ARG…].

DO is commit, with the files to add before; held, two commits of the files by one
index object, the first with what was staged before it; or push, with a URL.
"""
import sys

client, do, path, *args = sys.argv[1:]
BRANCH = "refs/heads/main"


def dulwich():
    from dulwich import porcelain

    if do == "push":
        porcelain.push(path, args[0], BRANCH)
        return
    if args:
        porcelain.add(path, [f"{path}/{name}" for name in args])
    porcelain.commit(path, message=b"dulwich", author=b"a <a@example.com>", committer=b"a <a@example.com>")


def gitpython():
    import git

    repo = git.Repo(path)
    index = repo.index
    if args:
        index.add(args, force=True)
    if do == "held":  # the object still has the files as they were when it read the index
        try:
            index.commit("gitpython, first")
        except git.HookExecutionError as refused:
            print(refused, file=sys.stderr)
    index.commit("gitpython")


def pygit2():
    import pygit2

    repo = pygit2.Repository(path)
    if do == "push":
        class Callbacks(pygit2.RemoteCallbacks):
            def sideband_progress(self, text):  # what the server's hook prints
                print(text, end="", file=sys.stderr)

            def push_update_reference(self, name, message):
                if message:
                    sys.exit(f"{name}: {message}")

        repo.remotes.create_anonymous(args[0]).push([BRANCH], callbacks=Callbacks())
        return
    for name in args:
        repo.index.add(name)
    repo.index.write()
    who = pygit2.Signature("a", "a@example.com")
    repo.create_commit("HEAD", who, who, "pygit2", repo.index.write_tree(), [repo.head.target])


{"dulwich": dulwich, "gitpython": gitpython, "pygit2": pygit2}[client]()
