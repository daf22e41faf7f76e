// node.cjs LOADER: the loaders for JavaScript that are libraries, and Node itself.
const fs = require('fs'), path = require('path'), url = require('url')
const name = process.argv[2]
const from = require('module').createRequire(process.env.LOADERS_NPM + '/')
const files = fs.readFileSync(0, 'utf8').split('\n').filter(Boolean)
const out = []
const quiet = { info() {}, error() {} }

function node(file) {
  for (const k of Object.keys(process.env)) delete process.env[k]
  process.loadEnvFile(file)
  return { ...process.env }
}

async function loader() {
  if (name.startsWith('node')) return node
  if (name.startsWith('dotenv-expand')) {
    const { parse } = from('dotenv18')
    const { expand } = from('dotenv-expand')
    return f => expand({ parsed: parse(fs.readFileSync(f)), processEnv: {} }).parsed
  }
  if (name === 'next') {
    const next = from('@next/env')
    return f => {
      for (const k of Object.keys(process.env)) delete process.env[k]
      return next.processEnv([{ path: f, contents: fs.readFileSync(f, 'utf8'), env: {} }], path.dirname(f), quiet, true)[1]
    }
  }
  if (name === 'vite') {
    const vite = await import(url.pathToFileURL(from.resolve('vite')))
    return f => {
      for (const k of Object.keys(process.env)) delete process.env[k]
      return vite.loadEnv('production', path.dirname(f), '')
    }
  }
  const { parse } = from(name === 'dotenvx' ? '@dotenvx/dotenvx' : name)
  return f => parse(fs.readFileSync(f), { processEnv: {} })
}

loader().then(read => {
  for (const file of files) {
    try {
      for (const [k, v] of Object.entries(read(file))) out.push(k + '=' + v + '\0')
    } catch (e) {
      if (process.env.LOADERS_DEBUG) console.error(e)
      out.push('!\0')
    }
    out.push('\0')
  }
  process.stdout.write(out.join(''))
})
