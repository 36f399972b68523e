import { spawn, spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { delimiter, join, resolve as resolvePath } from 'node:path'
import { ROOT } from '../helpers/root.js'
import { type Language, type ThirdPartyClient, thirdPartyClients } from './clients.js'

const here = join(ROOT, 'test/clients')
/** How much of what a failed step printed is shown. */
const SHOWN_LINES = 15
const CLASS_PATH = ['classes', 'lib/*'].join(delimiter)
/** A small program each: many of them run beside one another. */
const JAVA_OPTIONS = ['-Xmx96m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1']

const PIP_INSTALL = ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check']

export type Say = (line: string) => void

/** How to start a program. */
export interface Program {
  readonly command: string
  readonly args: readonly string[]
  readonly cwd?: string
  readonly env?: Readonly<Record<string, string>>
}

/** Why the clients of a language cannot run here. */
export class Unavailable extends Error {}

interface Toolchain {
  /** What must be on PATH. */
  readonly programs: readonly string[]
  /** The folder of its programs here, which is that of its packages in the cache. */
  readonly folder: string
  /** Files that name the packages with their versions. */
  readonly manifests: readonly string[]
  /** Installs into the folder and builds what is built. */
  install (folder: string): Promise<void>
  program (folder: string, client: ThirdPartyClient): Program
  /** The version of a library in the manifest. */
  version (manifest: string, library: string): string | undefined
  /** The version of what the language brings along. */
  ownVersion (): string
}

const toolchains: Record<Language, Toolchain> = {
  npm: {
    programs: ['npm'],
    folder: 'node',
    manifests: ['package.json'],
    install: async folder => { await step(folder, 'npm', ['install', '--no-audit', '--no-fund', '--loglevel=error']) },
    program: (folder, { name }) => ({ command: process.execPath, args: [join(folder, `${name}.js`)] }),
    version: (manifest, library) => (JSON.parse(manifest) as { dependencies: Record<string, string> }).dependencies[library]?.replace(/^npm:.*@/, ''),
    ownVersion: () => `Node ${process.versions.node}`
  },
  PyPI: {
    programs: ['python3'],
    folder: 'python',
    manifests: ['requirements.txt', 'sseclient_btubbs.txt'],
    install: async folder => {
      await installPythonPackages(folder)
      for (const { name, apart } of thirdPartyClients) if (apart === true) await step(folder, 'venv/bin/python', [...PIP_INSTALL, '--target', join('apart', name), '-r', `${name}.txt`])
    },
    program: (folder, { name, apart }) => ({
      command: join(folder, 'venv/bin/python'),
      args: ['-u', join(folder, `${name}.py`)],
      env: { PYTHONIOENCODING: 'utf-8', ...apart === true ? { PYTHONPATH: join(folder, 'apart', name) } : {} }
    }),
    version: (manifest, library) => manifest.split('\n').find(line => line.startsWith(`${library}==`))?.split('==')[1],
    ownVersion: () => firstLine('python3', ['--version'])
  },
  Go: {
    programs: ['go'],
    folder: 'go',
    manifests: ['go.mod'],
    install: async folder => {
      mkdirSync(join(folder, 'bin'), { recursive: true })
      await step(folder, 'go', ['build', '-o', 'bin/', './...'])
    },
    program: (folder, { name }) => ({ command: join(folder, 'bin', name), args: [] }),
    version: (manifest, library) => new RegExp(`^\\s*(?:require )?${library.replaceAll('.', '\\.')} v(\\S+)`, 'm').exec(manifest)?.[1],
    ownVersion: () => firstLine('go', ['version']).replace(/^go version go(\S+).*/, 'Go $1')
  },
  Maven: {
    programs: ['mvn', 'javac', 'java'],
    folder: 'java',
    manifests: ['pom.xml'],
    install: async folder => {
      await step(folder, 'mvn', ['--quiet', '--batch-mode', 'dependency:copy-dependencies', '-DoutputDirectory=lib'])
      const sources = readdirSync(folder).filter(name => name.endsWith('.java'))
      await step(folder, 'javac', ['-nowarn', '-proc:none', '-encoding', 'UTF-8', '-d', 'classes', '-cp', CLASS_PATH, ...sources])
    },
    program: (folder, { name }) => ({ command: 'java', args: [...JAVA_OPTIONS, '-cp', CLASS_PATH, name], cwd: folder }),
    version: (manifest, library) => new RegExp(`<artifactId>${library}</artifactId><version>([^<]+)`).exec(manifest)?.[1],
    ownVersion: () => firstLine('java', ['--version']).split(' ').slice(0, 2).join(' ')
  }
}

/**
 * Installs what the clients of a language need into a cache outside of the tree, unless it is there.
 * @throws Unavailable where that cannot be
 * @returns how to start each
 */
export async function install (
  language: Language,
  cache: string,
  say: Say
): Promise<(client: ThirdPartyClient) => Program> {
  const chain = toolchains[language]
  const absent = chain.programs.filter(program => !isOnPath(program))
  if (absent.length > 0) throw new Unavailable(`no ${absent.join(', no ')} on PATH`)
  const source = join(here, chain.folder)
  const folder = join(cache, chain.folder)
  const stamp = join(folder, '.installed')
  const wanted = digestOf(source)
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === wanted) {
    say(`${language}: installed in ${folder}`)
  } else {
    const began = performance.now()
    say(`${language}: installing into ${folder}: ${namesOf(language).join(', ')}…`)
    mkdirSync(folder, { recursive: true })
    cpSync(source, folder, { recursive: true })
    await chain.install(folder)
    writeFileSync(stamp, wanted)
    say(`${language}: installed (${((performance.now() - began) / 1000).toFixed(0)} s)`)
  }
  return client => chain.program(folder, client)
}

/**
 * Makes `venv` in a folder, with the packages of its `requirements.txt`.
 * @throws Unavailable where Python has no `venv`, or PyPI cannot be reached
 */
export async function installPythonPackages (folder: string, python = 'python3'): Promise<void> {
  await step(folder, python, ['-m', 'venv', 'venv'])
  await step(folder, 'venv/bin/python', [...PIP_INSTALL, '-r', 'requirements.txt'])
}

/** The program of an npm client as it stands here, with the packages of this project. */
export const programInTree = ({ name }: ThirdPartyClient): Program => ({ command: process.execPath, args: [join(here, 'node', `${name}.js`)] })

export function versionOf ({ language, library }: ThirdPartyClient): string {
  const chain = toolchains[language]
  if (library === undefined) return chain.ownVersion()
  return chain.version(readManifest(chain), library) ?? 'unknown'
}

const readManifest = ({ folder, manifests }: Toolchain): string => manifests.map(name => readFileSync(join(here, folder, name), 'utf8')).join('')

function namesOf (language: Language): string[] {
  const text = readManifest(toolchains[language])
  switch (language) {
    case 'npm': return Object.entries((JSON.parse(text) as { dependencies: Record<string, string> }).dependencies).map(([name, version]) => `${name}@${version}`)
    case 'PyPI': return text.trim().split('\n')
    case 'Go': return [...text.matchAll(/^\t(\S+ v\S+)$/gm)].map(([, module]) => module!)
    case 'Maven': return [...text.matchAll(/<artifactId>([^<]+)<\/artifactId><version>([^<]+)/g)].map(([, name, version]) => `${name} ${version}`)
  }
}

/** Changes when a program or a manifest of the folder does. */
function digestOf (folder: string): string {
  const hash = createHash('sha256')
  const entries = readdirSync(folder, { recursive: true, withFileTypes: true })
  for (const entry of entries.sort((a, b) => a.name < b.name ? -1 : 1)) {
    if (entry.isFile()) hash.update(entry.name).update(readFileSync(join(entry.parentPath, entry.name)))
  }
  return hash.digest('hex')
}

const isOnPath = (program: string): boolean => (process.env['PATH'] ?? '').split(delimiter).some(folder => existsSync(join(folder, program)))

const firstLine = (command: string, args: readonly string[]): string => spawnSync(command, args, { encoding: 'utf8' }).stdout?.split('\n')[0] ?? ''

async function step (cwd: string, command: string, args: readonly string[]): Promise<void> {
  const child = spawn(command.includes('/') ? resolvePath(cwd, command) : command, args, { cwd, stdio: ['ignore', 'pipe', 'pipe'] })
  let output = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', chunk => { output += String(chunk) })
  const onExit = (): void => { child.kill() }
  process.once('exit', onExit)
  const code = await new Promise<number | null>((resolve, reject) => {
    child.on('error', reject)
    child.on('close', resolve)
  })
  process.off('exit', onExit)
  if (code !== 0) throw new Unavailable(`${command} ${args.slice(0, 3).join(' ')} failed:\n${output.trimEnd().split('\n').slice(-SHOWN_LINES).join('\n')}`)
}
