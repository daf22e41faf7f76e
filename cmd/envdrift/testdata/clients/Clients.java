import java.io.File;
import org.eclipse.jgit.api.CommitCommand;
import org.eclipse.jgit.api.Git;
import org.eclipse.jgit.transport.PushResult;
import org.eclipse.jgit.transport.RefSpec;
import org.eclipse.jgit.transport.RemoteRefUpdate;

/** What JGit does in a repository: Clients DO REPO [ARG…]. */
public class Clients {
	public static void main(String[] args) throws Exception {
		try (Git git = Git.open(new File(args[1]))) {
			if (args[0].equals("push")) {
				push(git, args[2]);
				return;
			}
			CommitCommand commit = git.commit().setMessage("jgit").setAll(args[0].equals("all"));
			for (int i = 2; i < args.length; i++) {
				if (args[0].equals("only"))
					commit.setOnly(args[i]);
				else
					git.add().addFilepattern(args[i]).call();
			}
			commit.call();
		}
	}

	private static void push(Git git, String url) throws Exception {
		RefSpec main = new RefSpec("refs/heads/main:refs/heads/main");
		for (PushResult result : git.push().setRemote(url).setRefSpecs(main).call()) {
			System.err.println(result.getMessages());
			for (RemoteRefUpdate ref : result.getRemoteUpdates())
				if (ref.getStatus() != RemoteRefUpdate.Status.OK)
					throw new Exception(ref.getStatus() + ": " + ref.getMessage());
		}
	}
}
