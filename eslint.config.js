import neostandard from 'neostandard'
import tseslint from 'typescript-eslint'

/** Past this, a file has a second reason to exist. */
const MAX_FILE_LINES = 400

/** Code and comments are read side by side, and in narrow windows. */
const MAX_COLUMNS = 110
const LINE_LENGTH = { code: MAX_COLUMNS, ignoreUrls: true, ignoreRegExpLiterals: true }

export default [
  { ignores: ['**/dist/', '.tap/', 'docs/generated/'] },
  ...neostandard({ ts: true }),
  {
    files: ['**/*.ts', '**/*.tsx'],
    plugins: { '@typescript-eslint': tseslint.plugin },
    languageOptions: {
      parser: tseslint.parser,
      parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname },
    },
    rules: {
      // A schema and its type are one export with one name; tsc refuses any other redeclaration.
      '@typescript-eslint/no-redeclare': 'off',
      // `void` marks a promise that nobody waits for.
      'no-void': ['error', { allowAsStatement: true }],
      '@typescript-eslint/no-floating-promises': 'error',
      '@typescript-eslint/no-misused-promises': 'error',
      '@typescript-eslint/await-thenable': 'error',
      '@typescript-eslint/switch-exhaustiveness-check': ['error', {
        considerDefaultExhaustiveForUnions: true,
      }],
      '@typescript-eslint/no-explicit-any': 'error',
      '@typescript-eslint/consistent-type-imports': ['error', { fixStyle: 'inline-type-imports' }],
    },
  },
  { rules: { '@stylistic/max-len': ['error', LINE_LENGTH] } },
  {
    rules: {
      'no-restricted-syntax': ['error', {
        selector: 'CallExpression[callee.object.name=AbortSignal][callee.property.name=any] ' +
          'CallExpression[callee.property.name=timeout]',
        message: 'Node 20 may collect the timeout as garbage before it fires; see src/deadline.ts.',
      }],
    },
  },
  {
    // The text that a server or a client sends in a test stays one literal, however long it is.
    files: ['test/**'],
    rules: {
      '@stylistic/max-len': ['error', { ...LINE_LENGTH, ignoreStrings: true, ignoreTemplateLiterals: true }],
    },
  },
  {
    // What t.test() returns, tap awaits itself.
    files: ['test/**/*.ts'],
    rules: {
      '@typescript-eslint/no-floating-promises': ['error', {
        allowForKnownSafePromises: [{ from: 'package', package: '@tapjs/core', name: 'PromiseWithSubtest' }],
      }],
    },
  },
  {
    files: ['src/**/*.ts', 'routes/**/*.ts', 'plugins/**/*.ts', 'packages/**/*.{ts,tsx}'],
    rules: { 'max-lines': ['error', { max: MAX_FILE_LINES, skipBlankLines: false, skipComments: false }] },
  },
]
