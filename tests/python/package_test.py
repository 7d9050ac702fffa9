"""The package as others get it: built, installed, and with NumPy alone."""

import os
import shutil
import subprocess
import sys
import zipfile

from reading import ROOT, ReaderTest, main, needs

import sparsepush

BLOCKED = """
import sys
for name in ("pandas", "torch", "matplotlib", "matplotlib.pyplot"):
    sys.modules[name] = None
import sparsepush
run = sparsepush.load(sys.argv[1])
print(run.status, len(run.metrics["step"]), len(run.mean_state_dict()))
for call in (run.frame, run.torch_model, lambda: run.node_state_dict(0, framework="torch"), lambda: sparsepush.plot(run)):
    try:
        call()
    except ImportError as error:
        print(error.name, error.name in str(error))
"""
SECTIONS = {"run": {"nodes": 3, "steps": 4}, "model": {"hidden": [4]}, "evaluate": {"every_steps": 4}}


class Package(ReaderTest):
    def succeed(self, *command, **options):
        done = subprocess.run(command, cwd=self.folder, capture_output=True, text=True, check=False, **options)
        self.assertEqual(done.returncode, 0, f"{command}\n{done.stdout}\n{done.stderr}")
        return done.stdout

    def copy_of_source(self):
        """Building writes beside the sources."""
        ignored = shutil.ignore_patterns("__pycache__", "build", "*.egg-info")
        return shutil.copytree(ROOT / "python", self.folder / "python", ignore=ignored)

    def test_version_is_the_programs(self):
        version = self.command("--version").stdout.split()[1]
        self.assertEqual(sparsepush.__version__, version)

    def test_other_packages_are_needed_only_where_they_are_asked_for_and_named(self):
        run = self.train("a", SECTIONS)
        said = self.succeed(sys.executable, "-c", BLOCKED, run.path, env=os.environ | {"PYTHONPATH": str(ROOT / "python")})
        self.assertEqual(said.split("\n"), ["finished 2 4", "pandas True", "torch True", "torch True", "matplotlib True", ""])

    @needs("build", "setuptools", "wheel")
    def test_a_wheel_for_every_system_installs_and_reads(self):
        source = self.copy_of_source()
        self.succeed(sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", self.folder, source)
        wheel, = self.folder.glob("*.whl")
        self.assertEqual(wheel.name, f"sparsepush-{sparsepush.__version__}-py3-none-any.whl")
        files = {name for name in zipfile.ZipFile(wheel).namelist() if name.startswith("sparsepush/")}
        modules = {path.name for path in (ROOT / "python/sparsepush").iterdir() if path.is_file()}
        self.assertEqual(files, {f"sparsepush/{name}" for name in modules})
        self.assert_installs(wheel)

    @needs("setuptools", "wheel")
    def test_the_folder_installs_and_reads(self):
        self.assert_installs(self.copy_of_source())

    def assert_installs(self, what):
        installed = self.folder / "installed"
        self.succeed(sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-index",
                     "--no-deps", "--no-build-isolation", "--target", installed, what)
        run = self.train("a", SECTIONS)
        code = "import sys, sparsepush; print(sparsepush.__file__, sparsepush.load(sys.argv[1]).status)"
        said = self.succeed(sys.executable, "-c", code, run.path, env=os.environ | {"PYTHONPATH": str(installed)})
        self.assertEqual(said.split(), [str(installed / "sparsepush/__init__.py"), "finished"])


if __name__ == "__main__":
    main()
