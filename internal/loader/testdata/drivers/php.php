<?php // php.php LOADER: phpdotenv, which Laravel uses, and Symfony's.
foreach (['Dotenv', 'PhpOption', 'GrahamCampbell/ResultType', 'Symfony/Component/Dotenv', 'Symfony/Contracts'] as $dir) {
    foreach (glob(getenv('LOADERS_PHP') . "/$dir{,/*}/autoload.php", GLOB_BRACE) as $file) require_once $file;
}
function readFileOf(string $loader, string $path): array {
    if ($loader === 'symfony') return (new Symfony\Component\Dotenv\Dotenv())->parse(file_get_contents($path));
    $repository = Dotenv\Repository\RepositoryBuilder::createWithNoAdapters()->addAdapter(Dotenv\Repository\Adapter\ArrayAdapter::class)->make();
    return Dotenv\Dotenv::create($repository, dirname($path), basename($path))->load();
}
while (($path = fgets(STDIN)) !== false) {
    $_ENV = $_SERVER = [];
    try {
        foreach (readFileOf($argv[1], rtrim($path, "\n")) as $k => $v) echo "$k=$v\0";
    } catch (Throwable $e) {
        if (getenv('LOADERS_DEBUG')) fwrite(STDERR, $e);
        echo "!\0";
    }
    echo "\0";
}
