/** The rules for names, as the field has them: a service's name becomes a DNS label. */

import * as z from 'zod';
import { isTemplate, parseTemplate } from './template.ts';

/** Longest name of a service or network. */
export const NAME_LENGTH_MAX = 63;
const DNS_LABEL = /^[A-Za-z0-9]+(?:[-_]+[A-Za-z0-9]+)*$/;
const OBJECT_NAME = /^[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?$/;

/** Name of a service or network. */
export const dnsName = z
  .string()
  .min(1, { error: 'name must be provided', abort: true })
  .max(NAME_LENGTH_MAX, `name must be ${NAME_LENGTH_MAX} characters or fewer`)
  .regex(
    DNS_LABEL,
    'name must be valid as a DNS name component: letters, digits, inner hyphens and underscores',
  );

/** Name of a secret or config. */
export const objectName = z
  .string()
  .min(1, { error: 'name must be provided', abort: true })
  .max(64, 'name must be 64 characters or fewer')
  .regex(OBJECT_NAME, 'name must be letters, digits, and inner dots, hyphens and underscores');

/** A text that a program can be given: operating systems end texts at a NUL. */
export const programText = z.string().refine((text) => !text.includes('\0'), 'must not hold a NUL character');

/** A text for a program in which the likes of `{{.Node.Hostname}}` are filled in for each task. */
export const templateText = programText.superRefine((text, context) => {
  if (!isTemplate(text)) return;
  try {
    parseTemplate(text);
  } catch (error) {
    context.addIssue({ code: 'custom', message: (error as Error).message });
  }
});

/** Labels: short texts by name. */
export const labels = z.record(z.string().min(1, 'label name must not be empty'), z.string());

/** A whole number of milliseconds, 0 or more. */
export const milliseconds = z
  .number('must be a number of milliseconds')
  .int('must be a whole number of milliseconds')
  .min(0, 'must not be negative');
