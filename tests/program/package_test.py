"""What leaves the house: an installed copy that other programs build against, and a source archive."""
import os
import shutil
import subprocess
import tarfile

from pathlib import Path

from program import ProgramTest, main

ROOT = Path(__file__).resolve().parents[2]


class PackageTest(ProgramTest):
    def succeed(self, *command, **options):
        done = subprocess.run(command, capture_output=True, text=True, check=False, **options)
        self.assertEqual(done.returncode, 0, f"{command}\n{done.stdout}\n{done.stderr}")
        return done.stdout

    def build_folder(self):
        return Path(self.program).resolve().parent

    def cached_settings(self, *names):
        """Options that set what the build has, of those that it has."""
        lines = (self.build_folder() / "CMakeCache.txt").read_text().splitlines()
        return ["-D" + line for line in lines if line.split(":")[0] in names]

    def test_a_program_builds_against_an_installed_copy(self):
        installed, example, build = (self.folder / name for name in ("installed", "example", "build"))
        self.succeed("cmake", "--install", self.build_folder(), "--prefix", installed)
        shutil.copytree(ROOT / "examples" / "own_method", example)
        self.succeed("cmake", "-S", example, "-B", build, f"-DCMAKE_PREFIX_PATH={installed}", "-DCMAKE_BUILD_TYPE=Release")
        self.succeed("cmake", "--build", build)
        self.assertRegex(self.succeed(build / "own_method"),
                         r"^step 4000, consensus 0\.\d{3}, loss of the mean model 10\.6250\d\d\n$")
        version = self.succeed(installed / "bin" / "sparsepush", "--version")
        self.assertEqual(version, self.succeed(self.program, "--version"))
        self.assertFalse((installed / "include/sparsepush/host/program").exists())

    def test_a_source_archive_holds_what_the_project_is(self):
        self.succeed("cpack", "--config", self.build_folder() / "CPackSourceConfig.cmake", cwd=ROOT)
        version = self.succeed(self.program, "--version").split()[1]
        with tarfile.open(self.build_folder() / f"sparsepush-{version}.tar.gz") as tar:
            tar.extractall(self.folder)
        source, = self.folder.glob("sparsepush-*")
        packed = {str(file.relative_to(source)) for file in source.rglob("*") if file.is_file()}
        if (ROOT / ".git").exists():
            known = self.succeed("git", "-C", ROOT, "ls-files", "-z", "--cached", "--others", "--exclude-standard")
            self.assertEqual(packed, {file for file in known.split("\0") if file and (ROOT / file).exists()})
        # Where build/cpu is in the source, with the same flags: what was compiled there, a compiler cache knows here.
        build, settings = source / "build" / "cpu", self.cached_settings("CMAKE_BUILD_TYPE", "SPARSEPUSH_WARNINGS_AS_ERRORS")
        cache = {**os.environ, "CCACHE_BASEDIR": str(source), "CCACHE_NOHASHDIR": "1"}
        self.succeed("cmake", "-G", "Ninja", "-S", source, "-B", build, "-DSPARSEPUSH_TESTS=OFF", *settings)
        self.succeed("cmake", "--build", build, "--target", "sparsepush_data", "-j", "2", env=cache)


if __name__ == "__main__":
    main()
