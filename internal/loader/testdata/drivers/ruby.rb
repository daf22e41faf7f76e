# ruby.rb: the gem dotenv.
require "dotenv"
$stderr.reopen(File::NULL) unless ENV["LOADERS_DEBUG"]
$stdout.binmode
before = ENV.to_h
STDIN.each_line(chomp: true) do |path|
  ENV.replace(before)
  begin
    Dotenv.load(path)
    ENV.each { |k, v| print k, "=", v, "\0" unless before.key?(k) }
  rescue StandardError, SyntaxError
    print "!\0"
  end
  print "\0"
end
