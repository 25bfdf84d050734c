declare module 'knex/lib/dialects/mysql2/index.js' {
  import type { Knex } from 'knex';
  // biome-ignore lint/style/noDefaultExport: the shape of the package
  export default class extends Knex.Client {}
}
