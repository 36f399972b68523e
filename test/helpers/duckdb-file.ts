import { DuckDBInstance } from '@duckdb/node-api'

/** Opens a file of DuckDB as another program does, runs statements, and closes it. */
export async function runOnFile (path: string, ...statements: string[]): Promise<void> {
  const instance = await DuckDBInstance.create(path)
  const connection = await instance.connect()
  for (const statement of statements) await connection.run(statement)
  connection.closeSync()
  instance.closeSync()
}
