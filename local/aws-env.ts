import { z } from 'zod';
import { CONTROL_HEADER } from './console/server.ts';
import { stackDirectory } from './directory.ts';
import { readStackFile } from './stack-file.ts';

const Key = z.object({ accessKeyId: z.string(), secretAccessKey: z.string(), region: z.string() });

/** Shell lines with which the AWS CLI and any SDK use the running stack as a declared role. */
async function exportsFor(role: string): Promise<string> {
  const stack = await readStackFile(stackDirectory);
  if (!stack) throw new Error('No stack is running. Start one with: npm start');
  const response = await fetch(`${stack.consoleUrl}/control/credentials`, {
    method: 'POST',
    headers: { [CONTROL_HEADER]: '1', 'content-type': 'application/json' },
    body: JSON.stringify({ role }),
  });
  const answer: unknown = await response.json();
  if (!response.ok) throw new Error(z.object({ error: z.string() }).parse(answer).error);
  const { accessKeyId, secretAccessKey, region } = Key.parse(answer);
  return (
    Object.entries({
      AWS_ACCESS_KEY_ID: accessKeyId,
      AWS_SECRET_ACCESS_KEY: secretAccessKey,
      AWS_REGION: region,
      AWS_DEFAULT_REGION: region,
      AWS_ENDPOINT_URL: stack.awsEndpointUrl,
    })
      .map(([name, value]) => `export ${name}='${value}'`)
      // of another session, and it would go with the wrong key
      .concat('unset AWS_SESSION_TOKEN AWS_PROFILE')
      .join('\n')
  );
}

try {
  const [role] = process.argv.slice(2);
  if (!role) throw new Error('Usage: npm run -s aws-env -- ROLE   (for example backend, lambda-zip, admin)');
  console.log(await exportsFor(role));
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
}
