import path from 'node:path';

/** Where `npm start` and the commands beside it keep their stack: `.local`, or LOCAL_DIRECTORY. */
export const stackDirectory = path.resolve(
  process.env.LOCAL_DIRECTORY ?? path.join(import.meta.dirname, '../.local'),
);
