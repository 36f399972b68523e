import jsonc, { type Node, type ParseError } from 'jsonc-parser'
import { type FileItem, MalformedFile } from './place.js'

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
  const root = jsonc.parseTree(text, errors, { disallowComments: true })
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
    offsets: new Map(node.type === 'object' ? (node.children ?? []).map(placeOf) : [])
  }))
}

function placeOf ({ children = [] }: Node): [string, number] {
  const [name, value] = children
  return [String(name!.value), value!.offset]
}
