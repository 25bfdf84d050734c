const SECRET_NAME = /(SECRET|PASSWORD|TOKEN|PRIVATE_KEY|CREDENTIAL)/;

/** Variables that carry a secret's value in clear: by their names, where they do not just name the secret. */
export const openSecrets = (names: string[]) =>
  names.filter((name) => SECRET_NAME.test(name) && !/_(ARN|NAME|ID)$/.test(name));
