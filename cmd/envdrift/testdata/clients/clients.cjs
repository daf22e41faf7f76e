// What git clients of Node do in a repository:
//
//	node clients.cjs CLIENT commit REPO FILE…   adds the files and commits
//	node clients.cjs CLIENT push REPO URL
const fs = require('fs')

const [client, act, dir, ...files] = process.argv.slice(2)
const author = { name: 'a', email: 'a@example.com' }

const clients = {
  async isomorphic() {
    const git = require('isomorphic-git')
    if (act === 'push') {
      const http = require('isomorphic-git/http/node')
      const onMessage = (text) => process.stderr.write(text)
      await git.push({ fs, http, dir, url: files[0], ref: 'main', onMessage })
      return
    }
    for (const filepath of files) await git.add({ fs, dir, filepath, force: true })
    await git.commit({ fs, dir, author, message: 'isomorphic-git' })
  },
  async simple() {
    const git = require('simple-git').simpleGit(dir)
    await git.raw(['add', '-f', ...files])
    await git.commit('simple-git')
  },
}

clients[client]().catch((error) => {
  console.error(error.message)
  process.exit(1)
})
