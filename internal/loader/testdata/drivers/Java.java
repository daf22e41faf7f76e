// Java.java: dotenv-java.
import io.github.cdimascio.dotenv.*;
import java.io.*;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;

public class Java {
    public static void main(String[] args) throws IOException {
        var in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        var out = new PrintStream(new FileOutputStream(FileDescriptor.out), false, StandardCharsets.UTF_8);
        for (String line; (line = in.readLine()) != null; out.print("\0")) {
            var path = Path.of(line);
            try {
                var env = Dotenv.configure().directory(path.getParent().toString()).filename(path.getFileName().toString()).load();
                var text = new StringBuilder();
                for (var e : env.entries(Dotenv.Filter.DECLARED_IN_ENV_FILE)) {
                    text.append(e.getKey()).append('=').append(e.getValue()).append('\0');
                }
                out.print(text);
            } catch (RuntimeException e) {
                out.print("!\0");
            }
        }
        out.flush();
    }
}
