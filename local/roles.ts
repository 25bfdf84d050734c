import type { Role } from './graph/manifest.ts';

/** A declared role by its name, its ARN or the end of its name: `backend`, `lambda-zip`. Throws with the list. */
export function roleNamed(roles: Role[], environment: string, wanted: string): Role {
  const exact = roles.find(({ name, arn }) => name === wanted || arn === wanted);
  const short = roles.filter(({ name }) => name.endsWith(`-${wanted}-${environment}`));
  const [only, another] = short;
  if (exact) return exact;
  if (only && !another) return only;
  const list = (short.length ? short : roles).map(({ name }) => `  ${name}`).sort();
  throw new Error(
    `${short.length ? 'More than one' : 'No'} declared role is called ${wanted}:\n${list.join('\n')}`,
  );
}
