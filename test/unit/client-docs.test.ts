import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'tap'
import ts from 'typescript'
import { ROOT } from '../helpers/root.js'

const GUIDE = 'docs/clients/javascript.md'
const guide = readFileSync(join(ROOT, GUIDE), 'utf8')
const blocks = [...guide.matchAll(/^```js\n([^]*?)^```$/gm)].map(([, code]) => code!)
const PUBLIC = join(ROOT, 'packages/client/dist/public.d.ts')

/** What the blocks use of a block before them. */
const COMMON = "declare const client: import('@tickwire/client').TickwireClient\n"
const OPTIONS: ts.CompilerOptions = {
  strict: true,
  noEmit: true,
  skipLibCheck: true,
  module: ts.ModuleKind.NodeNext,
  target: ts.ScriptTarget.ES2023,
  lib: ['lib.es2023.d.ts', 'lib.dom.d.ts', 'lib.dom.iterable.d.ts'],
  types: []
}

/** Compiles texts as if they were files of the project. */
function compile (files: ReadonlyMap<string, string>): ts.Program {
  const host = ts.createCompilerHost(OPTIONS)
  const { getSourceFile, fileExists, readFile } = host
  host.fileExists = name => files.has(name) || fileExists.call(host, name)
  host.readFile = name => files.get(name) ?? readFile.call(host, name)
  host.getSourceFile = (name, options, ...rest) => {
    const text = files.get(name)
    if (text === undefined) return getSourceFile.call(host, name, options, ...rest)
    return ts.createSourceFile(name, text, options)
  }
  return ts.createProgram([...files.keys()], OPTIONS, host)
}

const at = (name: string): string => join(ROOT, 'test/unit', name)
const modules = blocks.map((code, index) => [at(`block-${index}.mts`), `${code}\nexport {}\n`] as const)
const all = [at('all.mts'), "export * from '@tickwire/client'\n"] as const
const program = compile(new Map([[at('common.d.ts'), COMMON], ...modules, all]))

test(`the code of ${GUIDE} fits the types of the client`, async t => {
  t.ok(blocks.length > 8)
  for (const [index, [name]] of modules.entries()) {
    const faults = ts.getPreEmitDiagnostics(program, program.getSourceFile(name))
      // The guide is JavaScript: what it leaves out are types of its own variables.
      .filter(({ code }) => ![7005, 7034].includes(code))
      .map(({ messageText }) => ts.flattenDiagnosticMessageText(messageText, '\n'))
    t.same(faults, [], blocks[index]!)
  }
})

test(`the reference in ${GUIDE} names every option, event and state`, async t => {
  const checker = program.getTypeChecker()
  const exported = checker.getExportsOfModule(checker.getSymbolAtLocation(program.getSourceFile(PUBLIC)!)!)
  const typeOf = (name: string): ts.Type => {
    const symbol = exported.find(one => one.name === name)!
    const isAlias = (symbol.flags & ts.SymbolFlags.Alias) !== 0
    return checker.getDeclaredTypeOfSymbol(isAlias ? checker.getAliasedSymbol(symbol) : symbol)
  }
  const states = typeOf('StateName') as ts.UnionType
  const names = [
    ...['ClientOptions', 'SubscribeOptions', 'ClientEvents']
      .flatMap(type => typeOf(type).getProperties().map(({ name }) => name)),
    ...states.types.map(type => (type as ts.StringLiteralType).value)
  ]
  t.ok(names.length > 20)
  const firstCells = guide.split('\n').filter(line => line.startsWith('| `')).map(line => line.split(' | ')[0]!)
  for (const name of names) t.ok(firstCells.some(cell => cell.includes(`\`${name}\``)), name)
})
