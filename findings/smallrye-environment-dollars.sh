#!/usr/bin/env bash
#
# SmallRye Config, which Quarkus reads its settings with, changes a variable's value.
#
# Version:   smallrye-config 3.17.2
# Guess:     ${…} is an expression in application.properties, which somebody wrote for it.
#            What the environment has is taken as it is.
# Behaviour: expressions are evaluated in the values of every source, the environment too.
#            Two dollar signs become one, with no brace near them. ${…} is replaced, or an
#            error if there is no such setting. System.getenv has the value unchanged.
# Seen:      pa$$word -> pa$word
#            ${USER_ID}-key -> 1001-key
#            a${b}c -> NoSuchElementException
#            pa$word -> pa$word
# Matters:   a password with $$ is one character short in the program and nowhere else, and
#            sign-in fails. In the environment each $$ would have to be written $$$$, which
#            is wrong for the other programs that get the same variable.
set -euo pipefail

tmp=$(mktemp -d)
trap 'rm -rf -- "$tmp"' EXIT
cd -- "$tmp"
cat >pom.xml <<'END'
<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>com.example</groupId>
  <artifactId>shop</artifactId>
  <version>1</version>
  <dependencies>
    <dependency>
      <groupId>io.smallrye.config</groupId>
      <artifactId>smallrye-config</artifactId>
      <version>3.17.2</version>
    </dependency>
  </dependencies>
</project>
END
mvn --quiet --batch-mode -Dstyle.color=never -Dmaven.repo.local="$tmp/m2" \
	dependency:copy-dependencies -DoutputDirectory=lib >log 2>&1

cat >Shop.java <<'END'
import io.smallrye.config.SmallRyeConfig;
import io.smallrye.config.SmallRyeConfigBuilder;

public class Shop {
    public static void main(String[] args) {
        SmallRyeConfig config = new SmallRyeConfigBuilder().addDefaultInterceptors().addDefaultSources().build();
        String got;
        try {
            got = config.getValue("PASSWORD", String.class);
        } catch (RuntimeException e) {
            got = e.getClass().getSimpleName();
        }
        System.out.println(System.getenv("PASSWORD") + " -> " + got);
    }
}
END
javac -cp 'lib/*' Shop.java
got=
for value in 'pa$$word' '${USER_ID}-key' 'a${b}c' 'pa$word'; do
	got+=$(USER_ID=1001 PASSWORD=$value java -cp '.:lib/*' Shop)$'\n'
done
got=${got%$'\n'}

want='pa$$word -> pa$word
${USER_ID}-key -> 1001-key
a${b}c -> NoSuchElementException
pa$word -> pa$word'
if [ "$got" != "$want" ]; then
	printf 'changed\n--- want\n%s\n--- got\n%s\n' "$want" "$got" >&2
	exit 1
fi
printf '%s\n' "$got"
