#!/usr/bin/env python
"""Runs one class written for Mozilla's crontabber 0.18, and nothing else of crontabber.

    run_class.py --admin.conf=F.ini package.module.Class
    run_class.py --describe F.ini

The first form is for `[compat] run_with` of crontabber.toml. It imports that one class, gives it the configuration
that the ini has for it, and calls it as crontabber did. When it runs, where, and what becomes of its outcome is not
its business: no state is read or written. A class that catches up on missed dates (`as_backfill_cron_app`) is called
for one date, that of $CRONTABBER_SLOT. Exit code 0: it succeeded; 1: it raised, and the traceback is on stderr; 64:
wrong usage.

The second form prints what the ini does not say of its classes, for `crontabber import crontabber --names`.

For Python 2.7 with the package `crontabber` of that time, and for Python 3 with classes (and, if they want it, a
`crontabber` or a `configman`) that were ported.
"""
from __future__ import print_function

import datetime
import importlib
import inspect
import json
import logging
import os
import re
import sys
import traceback

USAGE = 64


class Utc(datetime.tzinfo):
    """Python 2.7 has none of its own."""

    def utcoffset(self, _):
        return datetime.timedelta(0)

    def dst(self, _):
        return datetime.timedelta(0)

    def tzname(self, _):
        return 'UTC'


def slot():
    """The date that this run is for."""
    text = os.environ.get('CRONTABBER_SLOT')
    if not text:
        return datetime.datetime.now(Utc())
    text = text.rstrip('Z')
    form = '%Y-%m-%dT%H:%M:%S.%f' if '.' in text else '%Y-%m-%dT%H:%M:%S'
    return datetime.datetime.strptime(text, form).replace(tzinfo=Utc())


def class_at(path):
    module, name = path.rsplit('.', 1)
    return getattr(importlib.import_module(module), name)


# What the ini says.

def read_ini(path):
    """The file as nested dictionaries of texts, as configobj would read it."""
    with open(path) as ini:
        lines = iter(ini.read().splitlines())
    root = {}
    sections = [root]
    for line in lines:
        line = line.strip()
        heading = re.match(r'(\[+)(.*?)(\]+)', line)
        if heading:
            depth = len(heading.group(1))
            del sections[depth:]
            name = heading.group(2).strip().strip('\'"')
            sections.append(sections[-1].setdefault(name, {}))
        elif '=' in line and not line.startswith(('#', ';', '+')):
            key, value = [part.strip() for part in line.split('=', 1)]
            quotes = value[:3]
            if quotes in ("'''", '"""'):
                value = value[3:]
                while quotes not in value:
                    value += '\n' + next(lines, quotes)
                value = value.split(quotes)[0]
            elif value[:1] in ('"', "'") and value[:1] in value[1:]:
                value = value[1:].split(value[0])[0]
            else:
                value = value.split('#')[0].strip()
            sections[-1][key.strip('\'"')] = value
    return root


def listed(ini):
    """The elements of the list of jobs, comments taken away first: class, and what is said of it."""
    lines = ini.get('crontabber', {}).get('jobs', '').splitlines()
    elements = re.split('[\n,;]', '\n'.join(line.split('#')[0] for line in lines))
    return [element.strip() for element in elements if element.strip()]


# The configuration of one class.

class Options(dict):
    """Texts by name; what a section does not have its parents may have."""

    parent = None

    def __getattr__(self, name):
        if name in self:
            return self[name]
        if self.parent is not None:
            return getattr(self.parent, name)
        raise AttributeError(name)


def options(values, parent=None):
    made = Options()
    made.parent = parent
    for name, value in values.items():
        made[name] = options(value, made) if isinstance(value, dict) else value
    return made


def with_options(path, element, call):
    """Calls with the configuration of the class, in the way that is there for it."""
    cls = class_at(element.split('|')[0].strip())
    try:
        from crontabber.app import CronTabberBase
        from crontabber import generic_app
        required = CronTabberBase.required_config
    except ImportError:
        required = None
    section = 'class-' + cls.__name__
    if not hasattr(cls, 'get_required_config'):
        return call(cls, plain_options(path, element, section))
    import configman
    namespace = configman.Namespace()
    if required is not None:
        namespace.update(generic_app.logging_required_config('crontabber'))
        namespace.update(required)
        namespace.add_aggregation('logger', lambda config, local, arguments: generic_app.setup_logger(
            'crontabber', config, local, arguments))
    else:
        namespace.add_aggregation('logger', lambda config, local, arguments: logger())
        namespace.namespace('crontabber')
        namespace.crontabber[section] = cls.get_required_config()
        for name, value in frequency_and_time(element).items():
            namespace.crontabber[section].add_option(name, default=value)
    sources = []
    if path:
        from configman.value_sources.for_configobj import ConfigObjWithIncludes
        values = ConfigObjWithIncludes(path).dict()
        # The other classes are no business of this process: it does not even import them.
        own = values.setdefault('crontabber', {})
        own['jobs'] = element
        for other in [name for name in own if name.startswith('class-') and name != section]:
            del own[other]
        sources.append(values)
    else:
        sources.append({'crontabber': {'jobs': element}})
    environment = configman.configman_keys(dict(os.environ)) if hasattr(configman, 'configman_keys') else {}
    if environment:
        environment.always_ignore_mismatches = True
        sources.append(environment)
    manager = configman.ConfigurationManager(
        [namespace], values_source_list=sources, argv_source=[],
        app_name='crontabber', app_version='0.18', app_description='')
    with manager.context() as config:
        return call(cls, config.crontabber[section])


def frequency_and_time(element):
    parts = [part.strip() for part in element.split('|')[1:]]
    if len(parts) == 1 and ':' in parts[0]:
        parts = ['1d'] + parts
    parts += [None] * (2 - len(parts))
    return {'frequency': parts[0] or '1d', 'time': parts[1] or None}


def plain_options(path, element, section):
    root = options(read_ini(path) if path else {})
    root['logger'] = logger()
    crontabber = root.setdefault('crontabber', options({}, root))
    own = crontabber.setdefault(section, options({}, crontabber))
    for name, value in frequency_and_time(element).items():
        own.setdefault(name, value)
    return own


def logger():
    logging.basicConfig(stream=sys.stderr, level=logging.INFO)
    return logging.getLogger('crontabber')


# The two commands.

def run(cls, config):
    app = cls(config, None)
    if getattr(cls, '_is_backfill_app', False):
        # Without a memory of earlier runs its `main` calls this once, with a date of its own.
        running = app.main(function=lambda _: app._run_proxy(slot()))
    else:
        running = app.main()
    if inspect.isgenerator(running):
        for _ in running:
            pass


def describe(path):
    failed = False
    for element in listed(read_ini(path)):
        name = element.split('|')[0].strip()
        try:
            cls = class_at(name)
            parents = getattr(cls, 'depends_on', None) or []
            parents = [parents] if hasattr(parents, 'upper') else list(parents)
            about = 'app_name = %s' % json.dumps(cls.app_name)
            if parents:
                about += ', depends_on = %s' % json.dumps(parents)
            if getattr(cls, '_is_backfill_app', False):
                about += ', backfill = true'
            print('"%s" = { %s }' % (name, about))
        except Exception as error:  # whatever a module may raise while it is imported
            failed = True
            print('# %s: %s: %s' % (name, type(error).__name__, ' '.join(str(error).split())))
    return 1 if failed else 0


def usage():
    print(__doc__.split('\n\n')[1], file=sys.stderr)
    return USAGE


def main(arguments):
    if len(arguments) == 2 and arguments[0] == '--describe':
        return describe(arguments[1])
    path = None
    while arguments and arguments[0].startswith('--admin.conf='):
        path = arguments.pop(0).split('=', 1)[1]
    if len(arguments) != 1 or '.' not in arguments[0] or arguments[0].startswith('-'):
        return usage()
    name = arguments[0]
    elements = listed(read_ini(path)) if path else []
    same = [element for element in elements if element.split('|')[0].strip() == name]
    try:
        with_options(path, same[-1] if same else name + '|1d', run)
    except BaseException:  # crontabber took sys.exit for a failure, too
        traceback.print_exc()
        return 1
    return 0


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))
