import jsonc, { type Node, type ParseError } from 'jsonc-parser'
import { type FileItem, MalformedFile } from './file-item.js'

/** What was expected where the text is not JSON, by the parser's name of the error. */
const EXPECTED: Readonly<Record<string, string>> = {
  PropertyNameExpected: 'a name in double quotes',
  ValueExpected: 'a value',
  ColonExpected: 'a colon',
  CommaExpected: 'a comma',
  CloseBraceExpected: 'a comma or }',
  CloseBracketExpected: 'a comma or ]',
  EndOfFileExpected: 'nothing more'
}

/** Reads the items of a JSON array. @throws MalformedFile */
export function readJsonList (text: string): readonly FileItem[] {
  const errors: ParseError[] = []
  const root = parse(text, errors)
  const [error] = errors
  if (error !== undefined) {
    const expected = EXPECTED[jsonc.printParseErrorCode(error.error)]
    const message = expected === undefined ? 'this is not JSON' : `this is not JSON: ${expected} was expected`
    throw new MalformedFile(error.offset, message)
  }
  if (root?.type !== 'array') {
    throw new MalformedFile(root?.offset ?? 0, 'an array of instruments was expected')
  }
  return (root.children ?? []).map(node => ({
    value: jsonc.getNodeValue(node) as unknown,
    offset: node.offset,
    offsets: node.type === 'object' ? offsetsOf(node.children ?? []) : new Map()
  }))
}

/** @throws MalformedFile if the text is nested more deeply than the parser can follow */
function parse (text: string, errors: ParseError[]): Node | undefined {
  try {
    return jsonc.parseTree(text, errors, { disallowComments: true })
  } catch (error) {
    if (!(error instanceof RangeError)) throw error
    throw new MalformedFile(0, 'an array of instruments was expected, and this is nested too deeply')
  }
}

/** Returns where each field of an object has its value. @throws MalformedFile if a field is there twice */
function offsetsOf (properties: readonly Node[]): Map<string, number> {
  const offsets = new Map<string, number>()
  for (const property of properties) {
    const [name, offset] = fieldOf(property)
    if (offsets.has(name)) throw new MalformedFile(property.offset, `the field '${name}' is there twice`)
    offsets.set(name, offset)
  }
  return offsets
}

function fieldOf ({ children = [] }: Node): [string, number] {
  const [name, value] = children
  return [String(name!.value), value!.offset]
}
